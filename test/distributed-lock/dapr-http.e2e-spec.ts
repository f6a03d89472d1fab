import { DistributedLockService } from '../../src/distributed-lock/distributed-lock.service';
import { LockStores } from '../../src/lease/lock-stores';
import { outcomeUnknown, unavailable } from '../../src/problem/catalogue';
import { atOnce } from '../support/at-once';
import { exchange, requestText } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
import {
  type DaprAnswer,
  DaprClient,
  expectRefusal,
  expectResult,
  HELD_BY_OTHER,
  LOCKED,
  NOT_HELD,
  NOT_LOCKED,
  RELEASED,
} from './dapr-client';

const MALFORMED = 'ERR_MALFORMED_REQUEST';

let app: TestApp;
let dapr: DaprClient;
beforeAll(async () => {
  app = await startApp();
  dapr = new DaprClient(app.port);
});
afterAll(async () => {
  dapr.close();
  await app.close();
});
afterEach(() => jest.restoreAllMocks());

/** Distributed-lock contract section 9, "Conformance suite". */
describe('Dapr’s conformance suite', () => {
  it('passes', async () => {
    const holder = { lockOwner: 'conftest' };
    expectResult(await dapr.lock({ ...holder, resourceId: 'key1', expiryInSeconds: 15 }), LOCKED);
    expectResult(await dapr.lock({ ...holder, resourceId: 'key2', expiryInSeconds: 3 }), LOCKED);
    expectResult(await dapr.lock({ ...holder, resourceId: 'key1', expiryInSeconds: 15 }), NOT_LOCKED);
    expectResult(await dapr.unlock({ ...holder, resourceId: 'unknown' }), NOT_HELD);
    expectResult(await dapr.unlock({ lockOwner: 'another', resourceId: 'key1' }), HELD_BY_OTHER);
    expectResult(await dapr.unlock({ ...holder, resourceId: 'key1' }), RELEASED);
    await waitFor(async () => {
      const { text } = await dapr.lock({ ...holder, resourceId: 'key2', expiryInSeconds: 3 });
      return text === LOCKED;
    }, 20_000);
  });
});

describe('lock', () => {
  it('answers with these bytes and headers, and no others', async () => {
    const body = '{"resourceId":"bytes","lockOwner":"me","expiryInSeconds":60}';
    const text = requestText('POST', '/v1.0-alpha1/lock/lockstore', { Host: 'localhost' }, body);
    const granted = await exchange(app.port, text);
    expect(granted.body).toBe(LOCKED);
    const names = granted.headers.map(([name]) => name);
    expect(names).toEqual(['Content-Type', 'Content-Length', 'Date', 'Connection', 'Keep-Alive']);
    expect(granted.headers.slice(0, 2)).toEqual([
      ['Content-Type', 'application/json'],
      ['Content-Length', '16'],
    ]);
    expect((await exchange(app.port, text)).body).toBe(NOT_LOCKED);
  });

  it('refuses the same owner and does not extend its lock', async () => {
    const body = { resourceId: 'same', lockOwner: 'me', expiryInSeconds: 60 };
    expectResult(await dapr.lock(body), LOCKED);
    const expiry = (): Promise<unknown> =>
      app.sql(`SELECT expires_at::text FROM lease WHERE stored_key = convert_to('lock||latchkey||same', 'UTF8')`);
    const before = await expiry();
    expect(before).toHaveLength(1);
    expectResult(await dapr.lock({ ...body, expiryInSeconds: 600 }), NOT_LOCKED);
    expect(await expiry()).toEqual(before);
  });

  it('holds for as many seconds as asked, up to the largest int32', async () => {
    for (const [resourceId, expiryInSeconds] of [
      // An answer that took longer than the lease lasts is no success.
      ['short', 5],
      ['long', 2147483647],
    ] as const) {
      expectResult(await dapr.lock({ resourceId, lockOwner: 'me', expiryInSeconds }), LOCKED);
      const [row] = await app.sql(
        // The expiry is read from the clock a microsecond or so after the grant; how long that is, is the machine's matter.
        `SELECT floor(extract(epoch FROM expires_at - granted_at))::float8 AS seconds, actor
           FROM lease WHERE stored_key = convert_to($1, 'UTF8')`,
        [`lock||latchkey||${resourceId}`],
      );
      expect(row).toEqual({ seconds: expiryInSeconds, actor: 'dapr' });
    }
  });

  it('goes between two owners as often as they like', async () => {
    const one = { resourceId: 'turns', lockOwner: 'one', expiryInSeconds: 60 };
    const two = { ...one, lockOwner: 'two' };
    for (let turn = 0; turn < 3; turn++) {
      expectResult(await dapr.lock(one), LOCKED);
      expectResult(await dapr.lock(two), NOT_LOCKED);
      expectResult(await dapr.unlock(two), HELD_BY_OTHER);
      expectResult(await dapr.unlock(one), RELEASED);
      expectResult(await dapr.unlock(one), NOT_HELD);
      expectResult(await dapr.lock(two), LOCKED);
      expectResult(await dapr.unlock(two), RELEASED);
    }
  });

  it('has one winner among 64 at once, in every round', async () => {
    // A slow database has no connection for all of them in time: who is refused unheard asks again.
    const unlessBusy = async (ask: () => Promise<DaprAnswer>): Promise<DaprAnswer> => {
      for (;;) {
        const answer = await ask();
        if (!answer.text.endsWith(': the service cannot answer right now"}')) return answer;
      }
    };
    for (let round = 0; round < 5; round++) {
      const body = (index: number) => ({ resourceId: 'raced', lockOwner: `owner-${index}`, expiryInSeconds: 60 });
      const tries = await atOnce(64, (index) => unlessBusy(() => dapr.lock(body(index))));
      const winners = tries.flatMap(({ text }, index) => (text === LOCKED ? [index] : []));
      expect(winners).toHaveLength(1);
      expect(tries.filter(({ text }) => text === NOT_LOCKED)).toHaveLength(63);
      const releases = await atOnce(64, (index) => unlessBusy(() => dapr.unlock(body(index))));
      expect(releases.flatMap(({ text }, index) => (text === RELEASED ? [index] : []))).toEqual(winners);
    }
  });
});

/** Distributed-lock contract section 2: ids are any text, compared byte by byte. */
describe('ids', () => {
  it.each([
    ['with U+0000', 'a\u0000b'],
    ['of U+0000 alone', '\u0000'],
    ['of U+0001', '\u0001'],
    ['of blanks', '   '],
    ['with one pipe', 'a|b|c'],
    ['beyond ASCII', 'Ünïcödé 日本 😀'],
    ['of 1 MB', 'x'.repeat(1024 * 1024)],
    ['of 1 MB beyond ASCII', '日'.repeat(350_000)],
  ])('may be a text %s', async (name, id) => {
    const asResource = { resourceId: id, lockOwner: name, expiryInSeconds: 60 };
    expectResult(await dapr.lock(asResource), LOCKED);
    expectResult(await dapr.lock(asResource), NOT_LOCKED);
    expectResult(await dapr.unlock(asResource), RELEASED);
    const asOwner = { resourceId: `owner ${name}`, lockOwner: id, expiryInSeconds: 60 };
    expectResult(await dapr.lock(asOwner), LOCKED);
    expectResult(await dapr.unlock({ ...asOwner, lockOwner: `${id} ` }), HELD_BY_OTHER);
    expectResult(await dapr.unlock(asOwner), RELEASED);
  });

  it.each([
    ['the last character of a long text', `${'y'.repeat(100_000)}a`, `${'y'.repeat(100_000)}b`],
    ['case', 'Case', 'case'],
    ['a blank at the end', 'blank', 'blank '],
    ['Unicode normalisation', '\u00e9', 'e\u0301'],
    ['an escape character', 'n\u0000', 'n\u00010'],
  ])('differ by %s', async (_name, one, other) => {
    const lock = (resourceId: string) => dapr.lock({ resourceId, lockOwner: 'me', expiryInSeconds: 60 });
    expectResult(await lock(one), LOCKED);
    expectResult(await lock(other), LOCKED);
    expectResult(await dapr.unlock({ resourceId: 'nothing', lockOwner: 'me' }), NOT_HELD);
    await dapr.lock({ resourceId: `of ${one}`, lockOwner: one, expiryInSeconds: 60 });
    expectResult(await dapr.unlock({ resourceId: `of ${one}`, lockOwner: other }), HELD_BY_OTHER);
  });
});

/** Distributed-lock contract section 2, the table of cases. */
describe('a lock request is refused', () => {
  const good = { resourceId: 'validated', lockOwner: 'me', expiryInSeconds: 60 };
  const notPositive = 'ExpiryInSeconds is not positive in lock store lockstore';

  it.each([
    ['no expiry', { ...good, expiryInSeconds: undefined }],
    ['an expiry of null', { ...good, expiryInSeconds: null }],
    ['an expiry of 0', { ...good, expiryInSeconds: 0 }],
    ['a negative expiry', { ...good, expiryInSeconds: -5 }],
    ['no member at all', {}],
  ])('for %s', async (_name, body) => expectRefusal(await dapr.lock(body), 400, MALFORMED, notPositive));

  it('for an empty body', async () => {
    const target = '/v1.0-alpha1/lock/lockstore';
    expectRefusal(await dapr.send('POST', target, ''), 400, MALFORMED, notPositive);
    expectRefusal(await dapr.send('POST', target), 400, MALFORMED, notPositive);
  });

  it.each([undefined, null, ''])('for a resource that is %j', async (resourceId) => {
    const answer = await dapr.lock({ ...good, resourceId });
    expectRefusal(answer, 400, MALFORMED, 'ResourceId is empty in lock store lockstore');
  });

  it.each([undefined, null, ''])('for an owner that is %j', async (lockOwner) => {
    const answer = await dapr.lock({ ...good, lockOwner });
    expectRefusal(answer, 400, MALFORMED, 'LockOwner is empty in lock store lockstore');
  });

  it('for a store that nobody configured', async () => {
    expectRefusal(await dapr.lock(good, 'nowhere'), 400, 'ERR_LOCK_STORE_NOT_FOUND', 'lock store nowhere not found');
  });

  it('for a resource with two pipes in a row', async () => {
    const message = `failed to try acquiring lock: input key/keyPrefix 'a||b' can't contain '||'`;
    expectRefusal(await dapr.lock({ ...good, resourceId: 'a||b' }), 500, 'ERR_TRY_LOCK', message);
  });

  it('where no store is configured', async () => {
    jest.replaceProperty(app.app.get(LockStores), 'all', []);
    expectRefusal(await dapr.lock(good), 500, 'ERR_LOCK_STORE_NOT_CONFIGURED', 'lock store is not configured');
  });

  it('with < > & escaped in the message', async () => {
    const { text } = await dapr.lock(good, '%3Cb%3E%26');
    expect(text).toBe(
      '{"errorCode":"ERR_LOCK_STORE_NOT_FOUND","message":"lock store \\u003cb\\u003e\\u0026 not found"}',
    );
  });

  it('by the first check that fails: JSON, expiry, any store, resource, owner, this store, pipes', async () => {
    const wrong = { resourceId: '', lockOwner: '', expiryInSeconds: 0 };
    const messageOf = async (body: object): Promise<string> => {
      const { text } = await dapr.send('POST', '/v1.0-alpha1/lock/no+where', JSON.stringify(body));
      return (JSON.parse(text) as { message: string }).message;
    };
    expect(await messageOf({ ...wrong, resourceId: 1 })).toMatch(/^failed deserializing HTTP body: proto: /);
    const stores = jest.replaceProperty(app.app.get(LockStores), 'all', []);
    expect(await messageOf(wrong)).toBe('ExpiryInSeconds is not positive in lock store no where');
    const positive = { ...wrong, expiryInSeconds: 1 };
    expect(await messageOf(positive)).toBe('lock store is not configured');
    stores.restore();
    expect(await messageOf(positive)).toBe('ResourceId is empty in lock store no where');
    expect(await messageOf({ ...positive, resourceId: 'a||b' })).toBe('LockOwner is empty in lock store no where');
    expect(await messageOf({ ...positive, resourceId: 'a||b', lockOwner: 'o' })).toBe('lock store no where not found');
  });
});

describe('an unlock request is refused', () => {
  const good = { resourceId: 'validated', lockOwner: 'me' };

  it.each([{}, { ...good, resourceId: undefined }, { ...good, resourceId: null }, { ...good, resourceId: '' }])(
    'without a resource: %j',
    async (body) => {
      expectRefusal(await dapr.unlock(body), 400, MALFORMED, 'ResourceId is empty in lock store lockstore');
    },
  );

  it('for an empty body', async () => {
    const answer = await dapr.send('POST', '/v1.0-alpha1/unlock/lockstore', '');
    expectRefusal(answer, 400, MALFORMED, 'ResourceId is empty in lock store lockstore');
  });

  it.each([undefined, null, ''])('for an owner that is %j', async (lockOwner) => {
    const answer = await dapr.unlock({ ...good, lockOwner });
    expectRefusal(answer, 400, MALFORMED, 'LockOwner is empty in lock store lockstore');
  });

  it('for a store that nobody configured', async () => {
    expectRefusal(await dapr.unlock(good, 'nowhere'), 400, 'ERR_LOCK_STORE_NOT_FOUND', 'lock store nowhere not found');
  });

  it('for a resource with two pipes in a row', async () => {
    const message = `failed to release lock: input key/keyPrefix 'a||b' can't contain '||'`;
    expectRefusal(await dapr.unlock({ ...good, resourceId: 'a||b' }), 500, 'ERR_UNLOCK', message);
  });

  it('where no store is configured', async () => {
    jest.replaceProperty(app.app.get(LockStores), 'all', []);
    const message = 'lock store is not configured';
    expectRefusal(await dapr.unlock({}), 500, 'ERR_LOCK_STORE_NOT_CONFIGURED', message);
  });

  it('never for its expiry, whatever it is', async () => {
    for (const expiryInSeconds of [0, -1, 'x', {}, 1.5]) {
      expectResult(await dapr.unlock({ ...good, expiryInSeconds }), NOT_HELD);
    }
  });
});

describe('a store that fails', () => {
  const body = { resourceId: 'failing', lockOwner: 'me', expiryInSeconds: 60 };

  it.each([
    ['is away', () => unavailable(), 'the service cannot answer right now'],
    ['lost the connection', () => outcomeUnknown(new Error('socket')), 'the outcome of the request is unknown'],
  ])('is a 500 of the call that keeps Retry-After: it %s', async (_name, problem, cause) => {
    const service = app.app.get(DistributedLockService);
    jest.spyOn(service, 'tryAcquire').mockRejectedValue(problem());
    jest.spyOn(service, 'release').mockRejectedValue(problem());
    const lock = await dapr.lock(body);
    expectRefusal(lock, 500, 'ERR_TRY_LOCK', `failed to try acquiring lock: ${cause}`);
    expect(lock.headers['retry-after']).toBe('1');
    const unlock = await dapr.unlock(body);
    expectRefusal(unlock, 500, 'ERR_UNLOCK', `failed to release lock: ${cause}`);
    expect(unlock.headers['retry-after']).toBe('1');
  });

  it('shows nothing of an error that nobody planned', async () => {
    await app.sql('ALTER TABLE lease RENAME TO hidden_lease');
    try {
      const cause = 'the server met an unexpected condition';
      const lock = await dapr.lock(body);
      expectRefusal(lock, 500, 'ERR_TRY_LOCK', `failed to try acquiring lock: ${cause}`);
      expect(lock.headers['retry-after']).toBeUndefined();
      expectRefusal(await dapr.unlock(body), 500, 'ERR_UNLOCK', `failed to release lock: ${cause}`);
    } finally {
      await app.sql('ALTER TABLE hidden_lease RENAME TO lease');
    }
  });
});

/** Distributed-lock contract section 2, "JSON parsing is protobuf-JSON"; the details are beside the reader. */
describe('a body', () => {
  const lockText = (text: string | Buffer) => dapr.send('POST', '/v1.0-alpha1/lock/lockstore', text);
  const unlockText = (text: string | Buffer) => dapr.send('POST', '/v1.0-alpha1/unlock/lockstore', text);
  const prefix = 'failed deserializing HTTP body: proto: ';

  it.each([
    ['{"resource_id":"json-1","lock_owner":"o","expiry_in_seconds":60,"store_name":"other"}'],
    ['{"resourceId":"json-2","lockOwner":"o","expiryInSeconds":60,"storeName":"other","more":[{"a":null}]}'],
    ['{"resourceId":"json-3","lockOwner":"o","expiryInSeconds":60.0}'],
    ['{"resourceId":"json-4","lockOwner":"o","expiryInSeconds":6e1}'],
    ['{"resourceId":"json-5","lockOwner":"o","expiryInSeconds":"60"}'],
    ['{"resourceId":"json-6","lockOwner":"o","expiryInSeconds":"60.0"}'],
    ['{"resourceId":"json-7","lockOwner":"o","expiryInSeconds":"6e1","storeName":null}'],
    ['{"resourceId":"json-\\u0000","lockOwner":"\\u0000","expiryInSeconds":60}'],
  ])('is understood: %s', async (text) => expectResult(await lockText(text), LOCKED));

  it.each([
    ['{"resourceId":"a","resource_id":"b"}', '(line 1:19): duplicate field "resource_id"'],
    ['{"resourceId":"a",\n"resourceId":"b"}', '(line 2:1): duplicate field "resourceId"'],
    ['{"resourceId":42}', '(line 1:15): invalid value for string field resourceId: 42'],
    ['{"resourceId":true}', '(line 1:15): invalid value for string field resourceId: true'],
    ['{"resourceId":{}}', '(line 1:15): invalid value for string field resourceId: {'],
    ['{"resourceId":[]}', '(line 1:15): invalid value for string field resourceId: ['],
    ['{"lockOwner":1}', '(line 1:14): invalid value for string field lockOwner: 1'],
    ['[]', 'syntax error (line 1:1): unexpected token ['],
    ['"text"', 'syntax error (line 1:1): unexpected token "text"'],
    ['null', 'syntax error (line 1:1): unexpected token null'],
    ['{"resourceId":x}', 'syntax error (line 1:15): invalid value x'],
    ['{"resourceId":"a",}', 'syntax error (line 1:19): unexpected token }'],
    ['{"resourceId":"a"', 'unexpected EOF'],
    ['{} {}', 'syntax error (line 1:4): unexpected token {'],
    ['  \n', 'syntax error (line 2:1): unexpected token '],
    ['{"resourceId":"\\ud800"}', 'unexpected EOF'],
    ['{"resourceId":"\\ud800 abcdef"}', 'syntax error (line 1:15): invalid escape code " abcde" in string'],
    ['resourceId=a&lockOwner=b', 'syntax error (line 1:1): invalid value resourceId'],
  ])('is refused by both calls: %j', async (text, fault) => {
    for (const answer of [await lockText(text), await unlockText(text)]) {
      const { message } = JSON.parse(answer.text) as { message: string };
      expectRefusal(answer, 400, MALFORMED, message);
      expect(message).toBe(prefix + fault);
    }
  });

  it.each(['1.5', '" 60"', '"60 "', '"abc"', '""', 'true', '3000000000'])(
    'is refused for the expiry %s, by lock alone',
    async (raw) => {
      const text = `{"expiryInSeconds":${raw},"resourceId":"json","lockOwner":"o"}`;
      const fault = `(line 1:20): invalid value for int32 field expiryInSeconds: ${raw}`;
      expectRefusal(await lockText(text), 400, MALFORMED, prefix + fault);
      expectResult(await unlockText(text), NOT_HELD);
    },
  );

  it('is refused where it is not UTF-8', async () => {
    const bytes = Buffer.concat([Buffer.from('{"resourceId":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const fault = 'syntax error (line 1:15): invalid UTF-8 in string';
    expectRefusal(await lockText(bytes), 400, MALFORMED, prefix + fault);
  });

  it.each([
    'application/json',
    'application/json; charset=utf-16',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'application/grpc',
    'no type at all',
    '',
  ])('is JSON whatever its content type: %j', async (type) => {
    const body = JSON.stringify({ resourceId: `type ${type}`, lockOwner: 'me', expiryInSeconds: 60 });
    expectResult(await dapr.send('POST', '/v1.0-alpha1/lock/lockstore', body, { 'content-type': type }), LOCKED);
    expectResult(await dapr.send('POST', '/v1.0-alpha1/unlock/lockstore', body, { 'content-type': type }), RELEASED);
  });

  const LIMIT = 4 * 1024 * 1024;
  it('may have 4 MiB', async () => {
    const text = '{"resourceId":"large","lockOwner":"me","expiryInSeconds":60}'.padEnd(LIMIT);
    expectResult(await lockText(text), LOCKED);
    const owner = `{"resourceId":"large owner","expiryInSeconds":60,"lockOwner":"`;
    const longest = `${owner}${'x'.repeat(LIMIT - owner.length - 2)}"}`;
    expect(longest).toHaveLength(LIMIT);
    expectResult(await lockText(longest), LOCKED);
    expectResult(await unlockText(longest), RELEASED);
  });

  const TOO_LARGE =
    '{"errorCode":"ERR_BODY_READ","message":"failed to read request body: http: request body too large"}';
  it.each([
    ['announced', { 'Content-Length': String(LIMIT + 1) }, ''],
    ['in chunks', { 'Transfer-Encoding': 'chunked' }, `${(LIMIT + 1).toString(16)}\r\n${' '.repeat(LIMIT + 1)}\r\n`],
  ])('may have no byte more: %s', async (_name, headers, rest) => {
    const head = requestText('POST', '/v1.0-alpha1/lock/lockstore', { Host: 'localhost', ...headers });
    const answer = await exchange(app.port, head + rest);
    expect(answer.body).toBe(TOO_LARGE);
    expect(answer.status).toBe(400);
  });

  it('that is hostile holds up nobody', async () => {
    const hostile = `{"a":[${'"\\n",'.repeat(800_000)}1]}`;
    const startedAt = performance.now();
    expect((await lockText(hostile)).status).toBe(400);
    // Quadratic work would take minutes.
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});
