import { type KeyValue } from '../key-value/key-value.js';
import { parseImportFile } from './import-file.js';
import { checkRows, type ImportRow } from './import-row.js';
import { identityOf, type ImportMode, makePlan, type Plan } from './plan.js';
import { previewLines, summary } from './preview.js';
import { progressLines } from './progress.js';

const LIMITS = { maxItemBytes: 100, maxNameBytes: 50 };
const NAMES = { prefix: '', label: '', separator: ':' };

const rowsOf = (content: unknown): ImportRow[] =>
  checkRows('f', parseImportFile('f', Buffer.from(JSON.stringify(content)), 'json', false, NAMES).rows, LIMITS);
const stored = (key: string, parts: Partial<KeyValue> = {}): KeyValue => ({
  key,
  label: '',
  value: 'old',
  contentType: 't',
  tags: '{"a":"1","b":"2"}',
  description: 'd',
  locked: false,
  etag: 'e',
  revision: '1',
  modifiedAt: 0,
  ...parts,
});
const plan = (content: unknown, items: KeyValue[], mode: ImportMode): Plan =>
  makePlan('f', rowsOf(content), new Map(items.map((item) => [identityOf(item), item])), mode, LIMITS);

describe('the plan of an import', () => {
  const set = {
    items: [
      { key: 'changed', value: 'new', content_type: 't', tags: { b: '2', a: '1' } },
      { key: 'new', value: 'v', tags: { x: null } },
      { key: 'same', value: 'old', content_type: 't', tags: { b: '2', a: '1' } },
    ],
  };
  const items = ['changed', 'gone', 'same'].map((key) => stored(key));

  it('adds only', () => {
    expect(plan(set, items, 'add-only')).toMatchObject({
      adds: [{ key: 'new' }],
      changes: [],
      deletes: [],
      same: 1,
      left: 1,
    });
  });

  it('changes what differs, whatever the order of tags', () => {
    expect(plan(set, items, 'upsert')).toMatchObject({
      adds: [{ key: 'new' }],
      changes: [{ key: 'changed' }],
      deletes: [],
      same: 1,
    });
  });

  it('deletes what the file lacks', () => {
    expect(plan(set, items, 'mirror')).toMatchObject({ deletes: [{ key: 'gone' }] });
  });

  it('keeps what a nested file cannot say', () => {
    const [change] = plan({ changed: 'new' }, items, 'upsert').changes;
    expect(change!.input).toEqual({ value: 'new', contentType: 't', tags: '{"a":"1","b":"2"}', description: 'd' });
  });

  it('refuses what grows too large by what it keeps', () => {
    const tags = JSON.stringify({ x: 'y'.repeat(80) });
    expect(() => plan({ k: 'v'.repeat(30) }, [stored('k', { tags })], 'upsert')).toThrow(
      /^f: member "k" .*value: .* bytes, more than the 100/,
    );
  });

  it('refuses to change or delete what is read-only, and only that', () => {
    const locked = (key: string): KeyValue => stored(key, { locked: true });
    expect(() => plan(set, [locked('changed')], 'upsert')).toThrow('f: "changed" is read-only (locked)');
    expect(() => plan(set, [locked('changed'), locked('gone')], 'mirror')).toThrow('"changed" and 1 more is read-only');
    expect(plan(set, [locked('changed')], 'add-only').left).toBe(1);
    expect(plan(set, [locked('same'), locked('gone')], 'upsert').same).toBe(1);
  });

  it('is shown line by line, with nothing in it that a terminal would act on', () => {
    const shown = [
      ...previewLines(plan(set, [stored('changed', { value: '\u001b[31m\u009b' }), stored('gone')], 'mirror')),
    ];
    expect(shown).toEqual([
      '+ "new"      "v", tags {"x":null}',
      '+ "same"     "old", content_type "t", tags {"b":"2","a":"1"}',
      '~ "changed"  value "\\u001b[31m\\u009b" -> "new"',
      '- "gone"     "old"',
    ]);
  });

  it('is summed up', () => {
    expect(summary(plan(set, items, 'mirror'), 'mirror', true)).toBe('1 to add, 1 to change, 1 to delete, 1 unchanged');
    expect(summary(plan(set, items, 'add-only'), 'add-only', false)).toBe(
      '1 added, 0 changed, 0 deleted, 1 unchanged, 1 different and left as stored (add-only)',
    );
  });
});

describe('progress', () => {
  it('is told of many rows, and of few only once they take long', () => {
    const lines: string[] = [];
    let now = 0;
    const progress = progressLines(
      (line) => lines.push(line),
      () => now,
    );
    progress('written', 500, 1000);
    expect(lines).toEqual([]);
    now = 2500;
    progress('written', 600, 1000);
    progress('written', 700, 1000);
    expect(lines).toEqual(['written 600 of 1000']);
    progress('compared', 1000, 20_000);
    progress('compared', 2000, 20_000);
    progress('compared', 20_000, 20_000);
    now = 9000;
    progress('read', 3000, null);
    expect(lines.slice(1)).toEqual(['compared 1000 of 20000', 'compared 20000 of 20000', 'read 3000']);
  });
});
