import { startApp, type TestApp } from '../support/start-app';

const KEY_VALUE_TYPE = 'application/vnd.microsoft.appconfig.kv+json; charset=utf-8';

let app: TestApp;
beforeAll(async () => void (app = await startApp()));
afterAll(() => app.close());

let count = 0;
/** A key-value of its own for each fact. */
async function newKeyValue(label = ''): Promise<{ target: string; lock: string; etag: string; key: string }> {
  const key = `locks/${++count}`;
  const query = label === '' ? '' : `?label=${encodeURIComponent(label)}`;
  const { json } = await app.azure.put(`/kv/${key}${query}`, { value: 'v', content_type: 'c', tags: { a: '1' } });
  return { target: `/kv/${key}${query}`, lock: `/locks/${key}${query}`, etag: json.etag, key };
}
const revisionsOf = async (key: string): Promise<{ locked: boolean; etag: string }[]> =>
  app.sql(`SELECT locked, etag, actor FROM key_value_revision WHERE key = $1 ORDER BY revision`, [key]);

describe('PUT /locks/{key}', () => {
  it('answers the key-value, locked, with a new entity tag, time and revision', async () => {
    const { lock, target, etag, key } = await newKeyValue('dev');
    const answer = await app.azure.send('PUT', lock);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe(KEY_VALUE_TYPE);
    expect(answer.json).toMatchObject({
      key,
      label: 'dev',
      value: 'v',
      content_type: 'c',
      tags: { a: '1' },
      locked: true,
    });
    expect(answer.json).not.toHaveProperty('created');
    expect(answer.headers.etag).toBe(`"${answer.json.etag}"`);
    expect(answer.json.etag).not.toBe(etag);
    expect(answer.headers['last-modified']).toMatch(/ GMT$/);
    expect(answer.headers['sync-token']).toMatch(/^[^=]+=[^;]+;sn=\d+$/);
    expect((await app.azure.get(target)).text).toBe(answer.text);
    expect((await revisionsOf(key)).map(({ locked }) => locked)).toEqual([false, true]);
  });

  it('of one that is locked already writes nothing', async () => {
    const { lock, key } = await newKeyValue();
    const first = await app.azure.send('PUT', lock);
    const second = await app.azure.send('PUT', lock);
    expect([second.status, second.text]).toEqual([200, first.text]);
    expect(await revisionsOf(key)).toHaveLength(2);
  });

  it('ignores the body, whatever it is', async () => {
    const { lock } = await newKeyValue();
    const answer = await app.azure.send('PUT', lock, { body: '{not json', headers: { 'content-type': 'text/html' } });
    expect([answer.status, answer.json.locked]).toEqual([200, true]);
  });

  it('takes the label literally: no wildcard, and %00 for none', async () => {
    const { lock, target } = await newKeyValue('dev');
    expect((await app.azure.send('PUT', lock.replace('dev', '*'))).status).toBe(404);
    expect((await app.azure.send('PUT', lock.replace('dev', '%00'))).status).toBe(404);
    expect((await app.azure.get(target)).json.locked).toBe(false);
  });
});

describe('DELETE /locks/{key}', () => {
  it('answers the key-value, unlocked, with a new entity tag and revision', async () => {
    const { lock, key } = await newKeyValue();
    const locked = await app.azure.send('PUT', lock);
    const answer = await app.azure.delete(lock);
    expect([answer.status, answer.json.locked]).toEqual([200, false]);
    expect(answer.json.etag).not.toBe(locked.json.etag);
    expect((await revisionsOf(key)).map((revision) => revision.locked)).toEqual([false, true, false]);
  });

  it('of one that is not locked writes nothing', async () => {
    const { lock, etag, key } = await newKeyValue();
    const answer = await app.azure.delete(lock);
    expect([answer.status, answer.json.etag]).toEqual([200, etag]);
    expect(await revisionsOf(key)).toHaveLength(1);
  });
});

describe('a locked key-value', () => {
  it.each(['PUT', 'DELETE'])('refuses %s with 409 and the body of the real service', async (method) => {
    const { lock, target, key } = await newKeyValue();
    await app.azure.send('PUT', lock);
    const body = method === 'PUT' ? { value: 'other' } : undefined;
    const answer = await app.azure.send(method, target, { body });
    expect(answer.status).toBe(409);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.text).toBe(
      JSON.stringify({
        type: 'https://azconfig.io/errors/key-locked',
        title: `Modifing key '${key}' is not allowed`,
        name: key,
        detail: 'The key is read-only. To allow modification unlock it first.',
        status: 409,
      }),
    );
  });

  it('refuses a put that would alter nothing as well, but a wrong entity tag first', async () => {
    const { lock, target } = await newKeyValue();
    await app.azure.send('PUT', lock);
    const same = { value: 'v', content_type: 'c', tags: { a: '1' } };
    expect((await app.azure.put(target, same)).status).toBe(409);
    expect((await app.azure.put(target, same, { headers: { 'if-match': '"wrong"' } })).status).toBe(412);
  });

  it('is writable again once unlocked, and its other labels always were', async () => {
    const { lock, target } = await newKeyValue('a');
    await app.azure.send('PUT', lock);
    expect((await app.azure.put(target.replace('label=a', 'label=b'), { value: 'free' })).status).toBe(200);
    await app.azure.delete(lock);
    expect((await app.azure.put(target, { value: 'free' })).status).toBe(200);
  });
});

describe('conditions on /locks', () => {
  const wrong = { 'if-match': '"wrong"' };
  it.each(['PUT', 'DELETE'])('of %s on what exists', async (method) => {
    const { lock, etag } = await newKeyValue();
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await app.azure.send(method, lock, { headers })).status;
    expect(await status(wrong)).toBe(412);
    expect(await status({ 'if-none-match': `"${etag}"` })).toBe(412);
    expect(await status({ 'if-none-match': '*' })).toBe(412);
    expect(await status({ 'if-none-match': '"*"' })).toBe(412);
    expect(await status({ 'if-match': etag })).toBe(200);
    const { json } = await app.azure.get(lock.replace('/locks/', '/kv/'));
    expect(await status({ 'if-match': `"${json.etag}"` })).toBe(200);
    expect(await status({ 'if-match': '*' })).toBe(200);
    expect(await status({ 'if-none-match': '"other"' })).toBe(200);
  });

  it.each(['PUT', 'DELETE'])(
    'of %s on what is missing or deleted: 412 under If-Match, else 404 without a body',
    async (method) => {
      const { target, lock } = await newKeyValue();
      await app.azure.delete(target);
      for (const missing of ['/locks/never-there', lock]) {
        for (const headers of [wrong, { 'if-match': '*' }]) {
          expect((await app.azure.send(method, missing, { headers })).status).toBe(412);
        }
        for (const headers of [{}, { 'if-none-match': '*' }, { 'if-none-match': '"x"' }] as Record<string, string>[]) {
          const answer = await app.azure.send(method, missing, { headers });
          expect([answer.status, answer.text]).toEqual([404, '']);
        }
      }
    },
  );

  it('answers 412 without a body', async () => {
    const { lock } = await newKeyValue();
    const answer = await app.azure.send('PUT', lock, { headers: wrong });
    expect([answer.status, answer.text, answer.headers['content-length']]).toEqual([412, '', '0']);
    expect(answer.headers['content-type']).toBeUndefined();
  });
});

describe('/locks', () => {
  it.each([
    ['GET', '/locks/x', 405],
    ['HEAD', '/locks/x', 405],
    ['POST', '/locks/x', 405],
    ['PATCH', '/locks/x', 405],
    ['PUT', '/locks', 405],
    ['DELETE', '/locks/', 405],
    ['PUT', '/locks/a%2525b', 400],
    ['PUT', '/locks/a%00b', 400],
    ['PUT', '/locks/x?label=%01', 400],
  ])('answers %s %s with %d', async (method, target, status) => {
    expect((await app.azure.send(method, target)).status).toBe(status);
  });

  it('needs the right to write', async () => {
    const { lock } = await newKeyValue();
    expect((await app.azureReader.send('PUT', lock)).status).toBe(403);
    expect((await app.azureReader.delete(lock)).status).toBe(403);
    expect((await app.azure.send('PUT', lock, { signed: false })).status).toBe(401);
  });
});

describe('locking and writing at once', () => {
  it('never lets a write through after the lock was acknowledged, over two processes', async () => {
    // A connection for each request: one that waits for a connection may be refused, and would meet nobody.
    const env = { DB_POOL_MAX: '15' };
    const one = await startApp(env, app);
    const other = await startApp(env, app);
    try {
      for (let round = 0; round < 25; round++) {
        const { lock, target, key } = await newKeyValue();
        const writes = Array.from({ length: 24 }, (_, writer) => {
          const through = writer % 2 === 0 ? one : other;
          return writer % 6 === 5
            ? through.azure.delete(target)
            : through.azure.put(target, { value: `${round}/${writer}` });
        });
        const [locking] = await Promise.all([other.azure.send('PUT', lock), ...writes]);
        for (const write of await Promise.all(writes)) expect([200, 204, 409]).toContain(write.status);
        // A delete may have come first; then there was nothing to lock.
        if (locking.status === 404) continue;
        expect(locking.status).toBe(200);
        const history = await revisionsOf(key);
        expect(history.findIndex(({ locked }) => locked)).toBe(history.length - 1);
        expect((await app.azure.get(target)).text).toBe(locking.text);
      }
    } finally {
      await other.close();
      await one.close();
    }
  });
});
