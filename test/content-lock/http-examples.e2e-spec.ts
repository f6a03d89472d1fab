import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { basic, type ContentHttp } from '../content/content-http';
import { exchange } from '../support/raw-http';
import { age, type Editors, lock, type LockJson, lockSeenBy, startEditors, UNLOCKED } from './editors';

/**
 * The exchanges that Plone's and Nick's pages document, recorded in test/http-examples and shown in docs/content-locks.md. What differs
 * from one run to the next stands there in braces: `{host}`, `{authorization}`, `{token}`, `{date}`, `{time}`, `{etag}`.
 */

const EXAMPLES = join(__dirname, '../http-examples');
const read = (file: string): string => readFileSync(join(EXAMPLES, file), 'utf8');
const recorded = readdirSync(EXAMPLES)
  .filter((file) => file.endsWith('.req'))
  .map((file) => file.slice(0, -'.req'.length));

let editors: Editors;
let alice: ContentHttp;
let bearer: string;

/** What is so before each exchange; gives the token that the request names. */
const BEFORE: Record<string, () => Promise<string | undefined>> = {
  lock_post: async () => undefined,
  lock_post_options: async () => undefined,
  lock_get: async () => (await lock(alice, PATH)).token,
  lock_patch: async () => {
    const { token } = await lock(alice, PATH);
    await age(editors, PATH, 100);
    return token;
  },
  lock_update: async () => (await lock(alice, PATH)).token,
  lock_delete: async () => (await lock(alice, PATH)).token,
  lock_delete_force: async () => (await lock(editors.bob, PATH), undefined),
};

/** What is so after it. */
const AFTER: Record<string, () => Promise<void>> = {
  lock_update: async () => {
    expect((await alice.get(PATH)).json.title).toBe('New Title');
    expect(await lockSeenBy(alice, PATH)).toMatchObject({ locked: true });
  },
  lock_delete: async () => expect(await lockSeenBy(alice, PATH)).toEqual(UNLOCKED),
  lock_delete_force: async () => expect(await lockSeenBy(editors.bob, PATH)).toEqual(UNLOCKED),
};

const PATH = '/front-page';

beforeAll(async () => {
  editors = await startEditors();
  ({ alice } = editors);
  await alice.add('/', { id: 'front-page', title: 'Welcome' });
  bearer = `Bearer ${(await editors.nobody.post('/@login', { login: 'alice', password: 'pw' })).json.token}`;
});
afterAll(() => editors.app.close());
beforeEach(async () => {
  await editors.mia.send('DELETE', `${PATH}/@lock`, { body: { force: true } });
});

it('all seven are recorded', () => {
  expect(recorded.toSorted()).toEqual(Object.keys(BEFORE).toSorted());
});

it.each(recorded.flatMap((name) => [`${name}.req`, `${name}.resp`]))('docs/content-locks.md shows %s', (file) => {
  const page = readFileSync(join(__dirname, '../../docs/content-locks.md'), 'utf8');
  expect(page).toContain(`\n\`\`\`http\n${read(file).trimEnd()}\n\`\`\`\n`);
});

const PREFIXES = ['', '/', '/++api++', '/++api++/'];
const VARIANTS = ['Basic', 'Bearer'].flatMap((scheme) =>
  PREFIXES.flatMap((prefix) => [true, false].map((hasType) => ({ scheme, prefix, hasType }))),
);

describe.each(recorded)('%s', (name) => {
  it.each(VARIANTS)('with $scheme, behind "$prefix", Content-Type: $hasType', async ({ scheme, prefix, hasType }) => {
    const token = await BEFORE[name]!();
    const host = `127.0.0.1:${editors.app.port}`;
    const authorization = scheme === 'Basic' ? basic('alice') : bearer;
    const request = read(`${name}.req`)
      .replace(` ${PATH}`, ` ${prefix}${PATH}`)
      .replaceAll('{host}', host)
      .replaceAll('{authorization}', authorization)
      .replaceAll('{token}', token ?? 'none');
    const [head, body] = split(request);
    const lines = head.split('\n').filter((line) => hasType || !line.startsWith('Content-Type:'));
    if (body !== '') lines.push(`Content-Length: ${body.length}`);
    const answer = await exchange(editors.app.port, `${lines.join('\r\n')}\r\n\r\n${body}`);

    const [answerHead, answerBody] = split(read(`${name}.resp`).replaceAll('{host}', host));
    const [statusLine, ...headers] = answerHead.split('\n');
    expect(answer.status).toBe(Number(statusLine!.split(' ')[1]));
    for (const header of headers) {
      const [field, value] = header.split(': ') as [string, string];
      const sent = answer.headers.find(([known]) => known.toLowerCase() === field.toLowerCase())?.[1];
      if (value === '{etag}') expect(sent).toMatch(/^"[^"]+"$/);
      else expect(sent).toBe(value);
    }
    if (answerBody === '') expect(answer.body).toBe('');
    else {
      const json = JSON.parse(answer.body) as LockJson;
      const members = { token: json.token ?? '', date: json.created ?? '', time: String(json.time ?? '') };
      // To the letter but for the white space, the order of the members included.
      expect(answer.body).toBe(
        JSON.stringify(
          JSON.parse(
            answerBody.replace(/\{(token|date|time)\}/g, (_, member: keyof typeof members) => members[member]),
          ),
        ),
      );
      if (json.locked) {
        expect(json.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
        expect(json.time).toBe(Date.parse(json.created) / 1000);
        expect(json.token).toMatch(/^[0-9a-f-]{36}$/);
        if (token !== undefined) expect(json.token).toBe(token);
      }
    }
    await AFTER[name]?.();
  });
});

it('a refresh moves `created` and `time` forward', async () => {
  await BEFORE['lock_patch']!();
  const before = (await lockSeenBy(alice, PATH)) as unknown as LockJson;
  const { json } = await alice.patch(`${PATH}/@lock`);
  expect(json.time - before.time).toBeGreaterThanOrEqual(100);
  expect(Date.parse(json.created as string)).toBeGreaterThan(Date.parse(before.created));
});

function split(text: string): [head: string, body: string] {
  const end = text.indexOf('\n\n');
  return [text.slice(0, end), text.slice(end + 2).trim()];
}
