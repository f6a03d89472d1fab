import fc from 'fast-check';
import { matchesStringFilter, parseStringFilter, type StringFilter } from '../../src/key-value/rules/string-filter';
import { matchesTags } from '../../src/key-value/rules/matches-tags';
import { parseTagFilters } from '../../src/key-value/rules/tag-filter';
import { type AzureRequestOptions } from '../support/azure-http';
import { readItems } from '../support/pages';
import { startApp, type TestApp } from '../support/start-app';
import { putAll } from './stored-key-values';

interface Item {
  key: string;
  label: string | null;
  tags: Record<string, string | null>;
}

/** Few characters, so that names share beginnings: reserved ones, SQL's wildcards, and both sides of every edge of UTF-8. */
const CHARACTERS = [
  'a',
  'b',
  'A',
  '~',
  ' ',
  '*',
  ',',
  '\\',
  '_',
  '/',
  '\u00a0',
  'ä',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '🔑',
  '\u{10ffff}',
];
const character = fc.constantFrom(...CHARACTERS);
const name = fc.string({ unit: character, minLength: 1, maxLength: 3 });
const tagText = fc.constantFrom('a', 'b', '', 'a=b', '*', '🔑');
const item: fc.Arbitrary<Item> = fc.record({
  key: name,
  label: fc.option(name),
  tags: fc.dictionary(fc.constantFrom('a', 'b', 'a=b'), fc.option(tagText), { maxKeys: 2 }),
});

/** The same every time; what varies from run to run are the filters. */
const SEED = 20_260_401;

const escape = (text: string): string => text.replace(/[\\*,=]/g, '\\$&');
/** Mostly filters that mean something, and now and then any text at all. */
const filterText = (known: readonly string[]): fc.Arbitrary<string> => {
  const part = fc.constantFrom(...known).map(escape);
  return fc.oneof(
    part,
    name.map((text) => `${escape(text)}*`),
    character.map((text) => `${escape(text)}*`),
    fc
      .array(fc.oneof(part, fc.constant('\0'), fc.constant('')), { minLength: 2, maxLength: 5 })
      .map((all) => all.join(',')),
    fc.constantFrom('', '*', '\0', ',', '\\', '*x'),
    fc.string({ unit: fc.constantFrom(...CHARACTERS, '\0', '%'), maxLength: 4 }),
  );
};

const byBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right));
const byKeyAndLabel = (left: Item, right: Item): number =>
  byBytes(left.key, right.key) || byBytes(left.label ?? '', right.label ?? '');

/** Null for a text that is refused. */
function read<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}

describe('filters in SQL and in memory', () => {
  let app: TestApp;
  let items: Item[];
  let past: AzureRequestOptions;

  beforeAll(async () => {
    app = await startApp();
    items = fc.sample(
      fc.uniqueArray(item, { minLength: 300, maxLength: 300, selector: (one) => JSON.stringify([one.key, one.label]) }),
      { numRuns: 1, seed: SEED },
    )[0]!;
    await putAll(app, items);
    // Tombstones whose history retention has taken: rows that no listing may show.
    const gone = items.splice(0, 20);
    for (const { key, label } of gone) {
      await app.azure.delete(`/kv/${encodeURIComponent(key)}?label=${encodeURIComponent(label ?? '')}`);
    }
    await app.sql(
      `DELETE FROM key_value_revision r USING key_value k WHERE k.deleted AND r.key = k.key AND r.label = k.label`,
    );
    items.sort(byKeyAndLabel);
    const [row] = await app.sql<{ now: Date }>('SELECT clock_timestamp() AS now');
    past = { headers: { 'accept-datetime': row!.now.toISOString() } };
  });
  afterAll(() => app.close());

  /** What the listing must show, or 400. */
  async function expectItems(target: string, expected: unknown[] | null, options?: AzureRequestOptions): Promise<void> {
    if (expected === null) expect((await app.azure.get(target, options)).status).toBe(400);
    else expect(await readItems(app.azure, target, options)).toEqual(expected);
  }

  it('agree on key-values, now and in the past, and on revisions', async () => {
    const keyText = filterText(items.map(({ key }) => key));
    const labelText = filterText(items.flatMap(({ label }) => label ?? []));
    const tagTexts = fc.array(
      fc
        .tuple(fc.constantFrom('a', 'b', 'a=b'), fc.option(tagText, { nil: '\0' }))
        .map(([left, right]) => `${escape(left)}=${escape(right)}`),
      { maxLength: 2 },
    );
    const query = fc.record({
      keyText,
      labelText,
      tagTexts: fc.oneof({ arbitrary: fc.constant<string[]>([]), weight: 3 }, tagTexts),
    });
    await fc.assert(
      fc.asyncProperty(query, async ({ keyText, labelText, tagTexts }) => {
        const tags = tagTexts.map((text) => `&tags=${encodeURIComponent(text)}`).join('');
        const parameters = `key=${encodeURIComponent(keyText)}&label=${encodeURIComponent(labelText)}${tags}&$select=key,label,tags`;
        const expected = read(() => {
          const [key, label] = [parseStringFilter('key', keyText), parseStringFilter('label', labelText)];
          const conditions = parseTagFilters(tagTexts);
          return items.filter(
            (one) =>
              matchesStringFilter(key, one.key) &&
              matchesStringFilter(label, one.label) &&
              matchesTags(JSON.stringify(one.tags), conditions),
          );
        });
        await expectItems(`/kv?${parameters}`, expected);
        await expectItems(`/kv?${parameters}`, expected, past);
        await expectItems(`/revisions?${parameters}`, expected);
      }),
      { numRuns: 150 },
    );
  });

  it('agree on the names of keys and labels', async () => {
    const keys = [...new Set(items.map(({ key }) => key))].sort(byBytes);
    const labels = [...new Set(items.map(({ label }) => label))].sort((a, b) => byBytes(a ?? '', b ?? ''));
    const namesOf = (all: (string | null)[], filter: StringFilter | null) =>
      filter && all.filter((one) => matchesStringFilter(filter, one)).map((one) => ({ name: one }));
    await fc.assert(
      fc.asyncProperty(filterText([...keys, ...labels.filter((label) => label !== null)]), async (text) => {
        const filter = read(() => parseStringFilter('name', text));
        const parameter = `name=${encodeURIComponent(text)}`;
        await expectItems(`/keys?${parameter}`, namesOf(keys, filter));
        await expectItems(`/labels?${parameter}`, namesOf(labels, filter));
        await expectItems(`/keys?${parameter}`, namesOf(keys, filter), past);
        await expectItems(`/labels?${parameter}`, namesOf(labels, filter), past);
      }),
      { numRuns: 100 },
    );
  });
});
