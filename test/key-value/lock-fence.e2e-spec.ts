import { PUT, REMOVE } from '../../src/key-value/key-value.sql';
import { type AzureAnswer } from '../support/azure-http';
import { expectEmpty, expectInvalidArgument, expectKeyLocked, PROBLEM_TYPE } from '../support/expect-answer';
import { historyOf } from '../support/history';
import { exchange } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { fenced, HeldLocks } from './held-locks';

let app: TestApp;
let locks: HeldLocks;
beforeAll(async () => {
  app = await startApp();
  locks = new HeldLocks(app);
});
afterAll(() => app.close());

const above = (fence: string): string => String(BigInt(fence) + 1n);

function expectStale(answer: AzureAnswer, fence: string | null): void {
  expect(answer.status).toBe(409);
  expect(answer.headers['content-type']).toBe(PROBLEM_TYPE);
  expect(answer.text).toBe(
    JSON.stringify({
      type: 'urn:latchkey:problem:stale-fence',
      title: 'The fence is not current',
      detail: 'Lock-Fence names a fence that is not, or no longer, that of the holder of the lock.',
      status: 409,
      fence,
    }),
  );
}

describe.each(['PUT', 'DELETE'] as const)('%s /kv/{key} with Lock-Fence', (method) => {
  let count = 0;
  let key: string;
  let lock: string;
  beforeEach(async () => {
    key = `${method}-${++count}`;
    lock = `lock of ${key}`;
    expect((await app.azure.put(`/kv/${key}`, { value: 'before' })).status).toBe(200);
  });

  const write = (headers: Record<string, string>, target = `/kv/${key}`): Promise<AzureAnswer> =>
    app.azure.send(method, target, { headers, body: method === 'PUT' ? { value: 'after' } : undefined });

  const expectUntouched = async (): Promise<void> => {
    expect((await app.azure.get(`/kv/${key}`)).json).toMatchObject({ value: 'before' });
    expect(await historyOf(app, key)).toHaveLength(1);
  };

  it('writes under the fence of the holder', async () => {
    const fence = await locks.acquire(lock);
    const answer = await write(fenced(lock, fence));
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ key, value: method === 'PUT' ? 'after' : 'before' });
    expect(await historyOf(app, key)).toMatchObject([{}, { deleted: method === 'DELETE', is_later: true }]);
  });

  it('writes again and again, and after a renewal', async () => {
    const fence = await locks.acquire(lock, 30_000);
    expect((await write(fenced(lock, fence))).status).toBe(200);
    expect(await locks.renew(lock, fence, 60_000)).toBe(true);
    await app.azure.put(`/kv/${key}`, { value: 'between' });
    expect((await write(fenced(lock, fence))).status).toBe(200);
  });

  it.each(['a/b;c, d%', 'é🔒', 'a|b', 'a+b', 'a\0b'])('finds the lock %j', async (resource) => {
    const fence = await locks.acquire(`${resource} ${key}`);
    expect((await write(fenced(`${resource} ${key}`, fence))).status).toBe(200);
  });

  it('refuses a fence that was never granted, with the current one', async () => {
    const fence = await locks.acquire(lock);
    expectStale(await write(fenced(lock, above(fence))), fence);
    expectStale(await write(fenced(lock, '9223372036854775807')), fence);
    await expectUntouched();
  });

  it('refuses the fence of another lock', async () => {
    const fence = await locks.acquire(lock);
    const other = await locks.acquire(`other ${lock}`);
    expectStale(await write(fenced(lock, other)), fence);
    await expectUntouched();
  });

  it('refuses a fence that was passed on, with the new one', async () => {
    const fence = await locks.acquire(lock);
    await locks.release(lock, fence);
    const next = await locks.acquire(lock, 60_000, 'another');
    expectStale(await write(fenced(lock, fence)), next);
    await expectUntouched();
  });

  it('refuses the fence of a former lease of the same owner', async () => {
    const fence = await locks.acquire(lock);
    await locks.expire(lock);
    const next = await locks.acquire(lock);
    expectStale(await write(fenced(lock, fence)), next);
    await expectUntouched();
  });

  it.each([
    ['released', (fence: string) => locks.release(lock, fence)],
    ['expired', () => locks.expire(lock)],
    ['forced', () => locks.force(lock)],
  ])('refuses the fence of a lock that was %s, with the last one granted', async (_what, end) => {
    const fence = await locks.acquire(lock);
    await end(fence);
    expectStale(await write(fenced(lock, fence)), fence);
    await expectUntouched();
  });

  it('refuses any fence of a lock that was never taken, with null', async () => {
    expectStale(await write(fenced(lock, '1')), null);
    await expectUntouched();
  });

  it('refuses a write that would find or alter nothing', async () => {
    const fence = await locks.acquire(lock);
    if (method === 'PUT') {
      const headers = fenced(lock, above(fence));
      expectStale(await app.azure.put(`/kv/${key}`, { value: 'before' }, { headers }), fence);
    }
    expectStale(await write(fenced(lock, above(fence)), `/kv/none-${key}`), fence);
    expect(await app.sql(`SELECT FROM key_value WHERE key = $1`, [`none-${key}`])).toEqual([]);
  });

  it('tells a stale fence before a failed condition, and that before a read-only key', async () => {
    await app.azure.put(`/locks/${key}`, '');
    const fence = await locks.acquire(lock);
    const other = { 'if-match': '"other"' };
    expectStale(await write({ ...fenced(lock, above(fence)), ...other }), fence);
    expectEmpty(await write({ ...fenced(lock, fence), ...other }), 412);
    expectKeyLocked(await write(fenced(lock, fence)), key);
    expectStale(await write(fenced(lock, above(fence))), fence);
    expectStale(await write({ ...fenced(lock, above(fence)), ...other }, `/kv/none-${key}`), fence);
    expectEmpty(await write({ ...fenced(lock, fence), ...other }, `/kv/none-${key}`), 412);
  });

  it('tells a header that it cannot read before all of these', async () => {
    const detail = 'Expected one {store}/{percent-encoded resource};{fence}.';
    const answer = await write({ 'Lock-Fence': `lockstore/${key};0`, 'if-match': '"other"' });
    expectInvalidArgument(answer, 'Lock-Fence', detail);
    await expectUntouched();
  });

  it.each([
    ['', 'Expected one {store}/{percent-encoded resource};{fence}.'],
    ['42', 'Expected one {store}/{percent-encoded resource};{fence}.'],
    ['lockstore/job;-1', 'Expected one {store}/{percent-encoded resource};{fence}.'],
    ['lockstore/job;9223372036854775808', 'Expected one {store}/{percent-encoded resource};{fence}.'],
    ['lockstore/%C3%28;42', 'Expected one {store}/{percent-encoded resource};{fence}.'],
    ['lockstore/;42', 'Expected one {store}/{percent-encoded resource};{fence}.'],
    ['lockstore/a%7C%7Cb;42', `The resource must not contain '||'.`],
    ['otherstore/job;42', 'There is no lock store of this name.'],
    ['LOCKSTORE/job;42', 'There is no lock store of this name.'],
    ['__proto__/job;42', 'There is no lock store of this name.'],
  ])('refuses %j with 400', async (header, detail) => {
    expectInvalidArgument(await write({ 'Lock-Fence': header }), 'Lock-Fence', detail);
    await expectUntouched();
  });

  it('refuses a repeated header with 400, even if both say the same', async () => {
    const fence = await locks.acquire(lock);
    const value = fenced(lock, fence)['Lock-Fence']!;
    const target = `/kv/${key}?api-version=2023-11-01`;
    const body = method === 'PUT' ? Buffer.from('{"value":"after"}') : undefined;
    const signed = app.azure.sign(method, target, body, `127.0.0.1:${app.port}`);
    const lines = [
      ...Object.entries(signed).map(([name, text]) => `${name}: ${text}`),
      `Host: 127.0.0.1:${app.port}`,
      'Content-Type: application/json',
      `Content-Length: ${body?.length ?? 0}`,
      `Lock-Fence: ${value}`,
      `lock-fence: ${value}`,
    ];
    const head = `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
    const answer = await exchange(app.port, `${head}${body?.toString() ?? ''}`);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ name: 'Lock-Fence' });
    await expectUntouched();
  });

  it('still asks for the right to write, and for a right path, first', async () => {
    const headers = { 'Lock-Fence': 'junk' };
    expect((await app.azureReader.send(method, `/kv/${key}`, { headers })).status).toBe(403);
    expectEmpty(await write(headers, '/kv/%25'), 400);
  });
});

describe('PUT /kv/{key} with Lock-Fence', () => {
  it('creates a key-value, and one that was deleted', async () => {
    const headers = fenced('creation', await locks.acquire('creation'));
    expect((await app.azure.put('/kv/created', { value: 'one' }, { headers })).status).toBe(200);
    expect((await app.azure.delete('/kv/created', { headers })).status).toBe(200);
    const answer = await app.azure.put('/kv/created', { value: 'two' }, { headers });
    expect(answer.json).toMatchObject({ key: 'created', label: null, value: 'two' });
    expect(answer.headers['sync-token']).toBeDefined();
    const history = await historyOf(app, 'created');
    expect(history.map(({ deleted }) => deleted)).toEqual([false, true, false]);
  });

  it('creates under If-None-Match: *, and nothing under If-Match', async () => {
    const headers = fenced('conditions', await locks.acquire('conditions'));
    const any = { ...headers, 'if-match': '*' };
    const none = { ...headers, 'if-none-match': '*' };
    expectEmpty(await app.azure.put('/kv/once', { value: 'v' }, { headers: any }), 412);
    expect(await app.sql(`SELECT FROM key_value WHERE key = 'once'`)).toEqual([]);
    expect((await app.azure.put('/kv/once', { value: 'v' }, { headers: none })).status).toBe(200);
    expectEmpty(await app.azure.put('/kv/once', { value: 'v' }, { headers: none }), 412);
    expect((await app.azure.put('/kv/once', { value: 'w' }, { headers: any })).status).toBe(200);
  });

  it('alters nothing where the content is the same', async () => {
    const headers = fenced('same', await locks.acquire('same'));
    const first = await app.azure.put('/kv/same', { value: 'v', tags: { a: 'b' } }, { headers });
    const again = await app.azure.put('/kv/same', { value: 'v', tags: { a: 'b' } }, { headers });
    expect([again.status, again.json]).toEqual([200, first.json]);
    expect(await historyOf(app, 'same')).toHaveLength(1);
  });

  it('stores every member, under a label, as without', async () => {
    const headers = fenced('whole', await locks.acquire('whole'));
    const item = { value: 'v', content_type: 'text/plain', tags: { a: null }, description: 'd' };
    const azure = app.azure.withVersion('2026-04-01');
    const answer = await azure.put('/kv/whole?label=l', item, { headers });
    expect(answer.json).toMatchObject({ key: 'whole', label: 'l', ...item });
    expect((await azure.get('/kv/whole?label=l')).json).toEqual(answer.json);
  });

  it('tells a wrong body before a stale fence', async () => {
    const answer = await app.azure.put('/kv/body', '{', { headers: fenced('never taken', '1') });
    expect(answer.status).toBe(400);
    expect(answer.json.name).not.toBe('Lock-Fence');
  });
});

it('DELETE answers 204 where nothing is, under the fence of the holder', async () => {
  const headers = fenced('nothing', await locks.acquire('nothing'));
  expectEmpty(await app.azure.delete('/kv/nothing', { headers }), 204);
  await app.azure.put('/kv/nothing', { value: 'v' }, { headers });
  expect((await app.azure.delete('/kv/nothing', { headers })).status).toBe(200);
  expectEmpty(await app.azure.delete('/kv/nothing', { headers }), 204);
});

describe('elsewhere', () => {
  beforeAll(async () => {
    await app.azure.put('/kv/elsewhere', { value: 'v' });
  });

  it.each([
    ['GET', '/kv/elsewhere', 200],
    ['HEAD', '/kv/elsewhere', 200],
    ['GET', '/kv?key=elsewhere', 200],
    ['GET', '/revisions?key=elsewhere', 200],
    ['PUT', '/locks/elsewhere', 200],
    ['DELETE', '/locks/elsewhere', 200],
    ['POST', '/kv/elsewhere', 405],
  ])('%s %s does not look at the header', async (method, target, status) => {
    for (const header of ['junk', 'lockstore/never%20taken;1']) {
      expect((await app.azure.send(method, target, { headers: { 'Lock-Fence': header } })).status).toBe(status);
    }
  });
});

it('costs writes without the header nothing: their statements know no leases', () => {
  for (const { text } of [PUT, REMOVE]) expect(text).not.toMatch(/lease|fence/);
});
