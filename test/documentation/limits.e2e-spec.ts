import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const REPOSITORY = join(__dirname, '../..');

/** Every row: what, the number, and the name and file that the number comes from. */
const rows = readFileSync(join(REPOSITORY, 'docs/limits.md'), 'utf8')
  .split('\n')
  .map((line) => /^\| (.+?) +\| ([\d,]+) +\|.+\| `(\w+)` in `(\S+)` +\|$/.exec(line))
  .filter((match) => match !== null)
  .map(([, what, number, name, file]) => ({
    what: what!,
    number: Number(number!.replaceAll(',', '')),
    name: name!,
    file: file!,
  }));

describe('docs/limits.md', () => {
  it('has rows of the form that is checked here', () => {
    expect(rows).toHaveLength(63);
  });

  it.each(rows)('gives the limit that is in force: $what', ({ number, name, file }) => {
    const source = readFileSync(join(REPOSITORY, file), 'utf8');
    const found = new RegExp(`\\b${name}(?:: \\w+)? ?[=:] ([\\d_]+)(?: \\* ([\\d_]+))?`).exec(source)!;
    const factors = found.slice(1).map((text) => Number((text ?? '1').replaceAll('_', '')));
    expect(factors[0]! * factors[1]!).toBe(number);
  });
});
