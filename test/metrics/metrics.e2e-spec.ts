import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { AuditLog } from '../../src/events/audit-log';
import { LeaseRepository } from '../../src/lease/lease.repository';
import { RetentionService } from '../../src/retention/retention.service';
import { type ContentHttp } from '../content/content-http';
import { type Editors, freshObject, lock, startEditors } from '../content-lock/editors';
import { expire, NativeHttp } from '../distributed-lock/native-http';
import { type AzureAnswer } from '../support/azure-http';
import { GrpcClient } from '../support/grpc-client';
import { OwnTime } from '../support/own-time';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
import { samplesOf } from './samples';

let editors: Editors;
let app: TestApp;
let native: NativeHttp;
beforeAll(async () => {
  editors = await startEditors({ FAILED_LOGINS_PER_MINUTE: '3', DB_POOL_MAX: '4' });
  app = editors.app;
  native = new NativeHttp(app.port);
});
afterAll(() => app.close());

const unsigned = { signed: false, apiVersion: null } as const;
const scrape = async (where = app): Promise<ReadonlyMap<string, number>> => {
  const { status, text } = await where.azure.get('/metrics', unsigned);
  expect(status).toBe(200);
  return samplesOf(text);
};

/** What an event adds to a sample; a sample that is not there yet counts as 0. */
async function added(sample: string, event: () => Promise<unknown>): Promise<number> {
  const before = (await scrape()).get(sample) ?? 0;
  await event();
  return ((await scrape()).get(sample) ?? 0) - before;
}
/** The same of what the database is asked for, and what a scrape does without when the database of a busy machine takes too long. */
async function addedTo(gauge: string, event: () => Promise<unknown>): Promise<number> {
  const read = async (): Promise<number> => {
    let found: number | undefined;
    await waitFor(async () => (found = (await scrape()).get(gauge)) !== undefined);
    return found!;
  };
  const before = await read();
  await event();
  return (await read()) - before;
}
const ok = async (answer: Promise<AzureAnswer>, status = 200): Promise<AzureAnswer> => {
  const got = await answer;
  expect(got.status).toBe(status);
  return got;
};
const name = (): string => `n-${randomUUID()}`;

describe('GET /metrics', () => {
  it('answers callers on loopback in the text format of Prometheus', async () => {
    const answer = await app.azure.get('/metrics', unsigned);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.text).toMatch(/^process_resident_memory_bytes \d+/m);
    expect(answer.text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  });

  it('takes no wrong credentials, not even on loopback', async () => {
    expect((await native.as('mia', 'wrong').send('GET', '/metrics')).status).toBe(401);
  });

  it('is for managers alone where a proxy in front makes every caller look like one on loopback', async () => {
    const proxied = await startEditors({ TRUSTED_TLS_PROXY: 'true', DAPR_API_TOKEN: 'token' });
    const headers = { 'x-forwarded-proto': 'https' };
    const statusFor = async (by: ContentHttp): Promise<number> => {
      const { authorization } = by;
      const own: Record<string, string> = authorization === undefined ? {} : { authorization };
      return (await proxied.app.azure.get('/metrics', { ...unsigned, headers: { ...headers, ...own } })).status;
    };
    const { nobody, rita, alice, mia } = proxied;
    const statuses = [await statusFor(nobody), await statusFor(rita), await statusFor(alice), await statusFor(mia)];
    expect(statuses).toEqual([401, 403, 403, 200]);
    const lockClient = { ...headers, 'dapr-api-token': 'token' };
    expect((await proxied.app.azure.get('/metrics', { ...unsigned, headers: lockClient })).status).toBe(403);
    await proxied.app.close();
  });

  it('answers in time, without what it cannot know, while the tables are locked', async () => {
    await app.sql('BEGIN');
    try {
      await app.sql('LOCK TABLE lease, content_lock IN ACCESS EXCLUSIVE MODE');
      const time = new OwnTime();
      const samples = await scrape();
      expect(time.ownMs).toBeLessThan(2500);
      time.stop();
      expect(samples.has('locks_held')).toBe(false);
      expect(samples.has('content_locks_held')).toBe(false);
      expect(samples.has('lock_waiters')).toBe(true);
    } finally {
      await app.sql('COMMIT');
    }
    await waitFor(async () => (await scrape()).has('locks_held'));
  });
});

describe('requests', () => {
  it.each([
    ['azure', '2xx', () => app.azure.get('/kv')],
    ['azure', '4xx', () => app.azure.get('/kv', { signed: false })],
    ['dapr', '2xx', () => app.azure.get('/v1.0/healthz', unsigned)],
    ['native', '4xx', () => app.azure.get('/api/v1/nothing', unsigned)],
    ['content', '2xx', () => editors.nobody.get('/')],
    ['native', '2xx', () => app.azure.get('/docs', unsigned)],
  ])('of %s are timed, here with %s', async (surface, status, send) => {
    const sample = `http_request_duration_seconds_count{surface="${surface}",status="${status}"}`;
    // Reading is itself a request of ours.
    const own = surface === 'native' && status === '2xx' ? 1 : 0;
    expect(await added(sample, send)).toBe(1 + own);
  });

  it('that cannot be read are counted', async () => {
    const send = (): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(app.port, '127.0.0.1', () => socket.write('no http\r\n\r\n'));
        socket.resume().on('close', () => resolve());
      });
    expect(await added('http_refused_connections_total{reason="unreadable"}', send)).toBe(1);
  });
});

describe('calls over gRPC', () => {
  it('are counted by their code, and wrong tokens as wrong credentials', async () => {
    const served = await startApp({ GRPC_PORT: '0', DAPR_API_TOKEN: 'token' });
    const caller = new GrpcClient(served.grpcPort, 'token');
    const stranger = new GrpcClient(served.grpcPort, 'wrong');
    const lockCall = { storeName: 'lockstore', resourceId: name(), lockOwner: 'me', expiryInSeconds: 60 };
    expect((await caller.call('TryLockAlpha1', lockCall)).code).toBe(0);
    expect((await stranger.call('TryLockAlpha1', lockCall)).code).toBe(16);
    const samples = await scrape(served);
    const counted = ['grpc_calls_total{code="0"}', 'grpc_calls_total{code="16"}', 'auth_failures_total'];
    expect(counted.map((sample) => samples.get(sample))).toEqual([1, 1, 1]);
    caller.close();
    stranger.close();
    await served.close();
  });
});

describe('key-values', () => {
  it('are counted when they change, and not when nothing was altered', async () => {
    const key = name();
    const put = (): Promise<unknown> => ok(app.azure.put(`/kv/${key}`, { value: '1' }));
    expect(await added('kv_writes_total{operation="put"}', put)).toBe(1);
    expect(await added('kv_writes_total{operation="put"}', put)).toBe(0);
    const setLock = (): Promise<unknown> => ok(app.azure.send('PUT', `/locks/${key}`));
    expect(await added('kv_writes_total{operation="lock"}', setLock)).toBe(1);
    const refused = (): Promise<unknown> => ok(app.azure.send('DELETE', `/kv/${key}`), 409);
    expect(await added('kv_writes_total{operation="delete"}', refused)).toBe(0);
    const unlock = (): Promise<unknown> => ok(app.azure.send('DELETE', `/locks/${key}`));
    expect(await added('kv_writes_total{operation="unlock"}', unlock)).toBe(1);
    const remove = (): Promise<unknown> => ok(app.azure.send('DELETE', `/kv/${key}`));
    expect(await added('kv_writes_total{operation="delete"}', remove)).toBe(1);
  });

  it('that a client has already are counted', async () => {
    const key = name();
    const { headers } = await ok(app.azure.put(`/kv/${key}`, { value: '1' }));
    const again = { headers: { 'if-none-match': headers.etag! } };
    expect(await added('kv_not_modified_total', () => ok(app.azure.get(`/kv/${key}`, again), 304))).toBe(1);
    expect(await added('kv_not_modified_total', () => ok(app.azure.get(`/kv/${key}`)))).toBe(0);
  });

  it('written with an old fence are counted', async () => {
    const resource = name();
    const { fence } = await native.grant(resource, 'me');
    await native.delete(resource, '?owner=me');
    const headers = { 'lock-fence': `lockstore/${resource};${fence}` };
    const write = (): Promise<unknown> => ok(app.azure.put(`/kv/${name()}`, { value: '1' }, { headers }), 409);
    expect(await added('stale_fence_writes_total', write)).toBe(1);
  });
});

describe('distributed locks', () => {
  it('are counted by what came of asking for them, over each API', async () => {
    const resource = name();
    expect(await added('lock_acquire_total{result="granted"}', () => native.grant(resource, 'a'))).toBe(1);
    const body = { resourceId: resource, lockOwner: 'b', expiryInSeconds: 60 };
    const tryIt = (): Promise<unknown> =>
      native.send('POST', '/v1.0-alpha1/lock/lockstore', { body: { ...body, resourceId: name() } });
    expect(await added('lock_acquire_total{result="granted"}', tryIt)).toBe(1);
    const refused = (): Promise<unknown> => native.put(resource, { owner: 'b', ttlMs: 1000 });
    expect(await added('lock_acquire_total{result="held"}', refused)).toBe(1);
    const waited = (): Promise<unknown> => native.put(resource, { owner: 'b', ttlMs: 1000, waitMs: 30 });
    expect(await added('lock_acquire_total{result="timed-out"}', waited)).toBe(1);
  });

  it('show who waits, how long, and who gave up', async () => {
    const resource = name();
    await native.grant(resource, 'a');
    const before = await scrape();
    const goner = new AbortController();
    const wanted = { owner: 'b', ttlMs: 60_000, waitMs: 60_000 };
    const gone = native.put(resource, wanted, { signal: goner.signal }).catch(() => undefined);
    const waiting = native.put(resource, { ...wanted, owner: 'c' });
    await waitFor(async () => (await scrape()).get('lock_waiters') === 2);
    goner.abort();
    await gone;
    await waitFor(async () => (await scrape()).get('lock_waiters') === 1);
    expect((await native.delete(resource, '?owner=a')).status).toBe(204);
    expect((await waiting).status).toBe(201);
    const after = await scrape();
    const since = (sample: string): number => (after.get(sample) ?? 0) - (before.get(sample) ?? 0);
    expect(after.get('lock_waiters')).toBe(0);
    expect(since('lock_wait_seconds_count')).toBe(2);
    expect(since('lock_acquire_total{result="gone"}')).toBe(1);
    expect(since('lock_acquire_total{result="granted"}')).toBe(1);
  });

  it('that ran out are counted when the next caller gets them, in line or not', async () => {
    const resource = name();
    await native.grant(resource, 'a');
    await expire(app, resource);
    expect(await added('lock_expired_total', () => native.grant(resource, 'b'))).toBe(1);
    const next = async (): Promise<void> => {
      const waiting = native.put(resource, { owner: 'c', ttlMs: 60_000, waitMs: 60_000 });
      await waitFor(async () => (await scrape()).get('lock_waiters') === 1);
      await expire(app, resource);
      expect((await waiting).status).toBe(201);
    };
    expect(await added('lock_expired_total', next)).toBe(1);
    const released = async (): Promise<void> => {
      await native.delete(resource, '?owner=c');
      await native.grant(resource, 'd');
    };
    expect(await added('lock_expired_total', released)).toBe(0);
  });

  it('that a manager ended are counted', async () => {
    const resource = name();
    await native.grant(resource, 'a');
    const force = (): Promise<unknown> => native.as('mia', 'pw').delete(resource, '?force=true&reason=test');
    expect(await added('lock_forced_total{kind="distributed"}', force)).toBe(1);
  });

  it('that are held are counted', async () => {
    const resource = name();
    expect(await addedTo('locks_held', () => native.grant(resource, 'a'))).toBe(1);
    expect(await addedTo('locks_held', () => expire(app, resource))).toBe(-1);
  });

  it('are estimated well from a part of them where there are many', async () => {
    const many = await startApp();
    await many.sql(`
      INSERT INTO lease (key_digest, stored_key, owner, fence, expires_at)
      SELECT sha256(n::text::bytea), n::text::bytea, CASE WHEN n % 2 = 0 THEN 'o'::bytea END, n, clock_timestamp() + interval '1 hour'
        FROM generate_series(1, 20000) AS n`);
    const leases = many.app.get(LeaseRepository, { strict: false });
    expect(await leases.countHeld(30_000)).toBe(10_000);
    const estimate = await leases.countHeld(2000);
    expect(estimate).toBeGreaterThan(8500);
    expect(estimate).toBeLessThan(11_500);
    await many.close();
  });

  it('whose grant arrives after its own end are counted', async () => {
    const leases = app.app.get(LeaseRepository, { strict: false });
    const tryTake = leases.tryTake.bind(leases);
    const late = async (): Promise<void> => {
      const slow = jest.spyOn(leases, 'tryTake').mockImplementationOnce(async (...call) => {
        const [, { ttlMs }] = call;
        const sentAt = performance.now();
        const grant = await tryTake(...call);
        await waitFor(() => performance.now() - sentAt > ttlMs);
        return grant;
      });
      expect((await native.put(name(), { owner: 'a', ttlMs: 100 })).status).not.toBe(201);
      slow.mockRestore();
    };
    expect(await added('lock_late_grants_total', late)).toBe(1);
  });

  it('whose place in line was taken away are counted', async () => {
    const resource = name();
    await native.grant(resource, 'a');
    const drop = async (): Promise<void> => {
      const before = (await scrape()).get('lock_tickets_dropped_total')!;
      const goner = new AbortController();
      const wanted = { owner: 'b', ttlMs: 1000, waitMs: 60_000 };
      const waiting = native.put(resource, wanted, { signal: goner.signal }).catch(() => undefined);
      await waitFor(async () => (await app.sql('DELETE FROM lease_ticket RETURNING 1')).length > 0);
      await waitFor(async () => (await scrape()).get('lock_tickets_dropped_total')! > before);
      goner.abort();
      await waiting;
    };
    expect(await added('lock_tickets_dropped_total', drop)).toBe(1);
  });
});

describe('content locks', () => {
  it('that are in force are counted, and those that were taken away', async () => {
    const { alice, bob } = editors;
    const path = await freshObject(editors);
    expect(await addedTo('content_locks_held', () => lock(alice, path))).toBe(1);
    const steal = (): Promise<unknown> => lock(bob, path, { force: true });
    expect(await added('lock_forced_total{kind="content"}', steal)).toBe(1);
  });
});

describe('refusals', () => {
  it('for wrong credentials are counted on each surface, and those beyond the limit as throttled', async () => {
    const wrongKey = {
      headers: { authorization: 'HMAC-SHA256 Credential=x&SignedHeaders=x-ms-date;host&Signature=eA==' },
    };
    expect(await added('auth_failures_total', () => app.azure.get('/kv', { signed: false, ...wrongKey }))).toBe(1);
    expect(await added('auth_failures_total', () => app.azure.get('/kv', { signed: false }))).toBe(0);
    const wrong = (): Promise<unknown> => native.as('alice', name()).list();
    expect(await added('auth_failures_total', wrong)).toBe(1);
    // Enough of them also when a new minute begins in between.
    const tooOften = async (): Promise<void> => {
      for (let count = 0; count < 9; count++) await wrong();
    };
    expect(await added('throttled_total{reason="failed-logins"}', tooOften)).toBeGreaterThanOrEqual(3);
  });

  it('that the audit log leaves out are counted', async () => {
    // A new minute of its own.
    await app.app.get(AuditLog).flush();
    const refuse = async (): Promise<void> => {
      for (let count = 0; count < 12; count++) await ok(app.azureReader.put(`/kv/${name()}`, { value: '1' }), 403);
    };
    expect(await added('audit_refusals_dropped_total', refuse)).toBe(2);
  });
});

describe('the database', () => {
  const kill = (state: string): Promise<{ pid: number }[]> =>
    app.sql(
      `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'latchkey' AND ${state}`,
    );

  it('shows lost connections, and changes of which nobody knows', async () => {
    const key = name();
    await ok(app.azure.put(`/kv/${key}`, { value: '1' }));
    const cut = async (): Promise<void> => {
      await app.sql('BEGIN');
      await app.sql('SELECT FROM key_value WHERE key = $1 FOR UPDATE', [key]);
      const writing = app.azure.put(`/kv/${key}`, { value: '2' });
      await waitFor(async () => (await kill(`wait_event_type = 'Lock'`)).length === 1);
      expect((await writing).status).toBe(503);
      await app.sql('COMMIT');
    };
    const before = await scrape();
    expect(await added('outcome_unknown_total', cut)).toBe(1);
    const lost = 'database_errors_total{reason="connection-lost"}';
    expect((await scrape()).get(lost)! - (before.get(lost) ?? 0)).toBe(1);
    const idle = 'database_errors_total{reason="idle-connection-lost"}';
    const idleLost = async (): Promise<boolean> => ((await scrape()).get(idle) ?? 0) > 0;
    // None may be idle at one moment: the one that answered may be the one that was just ended.
    const killed: number[] = [];
    await waitFor(async () => {
      const rows = await kill(`state = 'idle'`);
      killed.push(...rows.map(({ pid }) => pid));
      return rows.length > 0 && idleLost();
    });
    // None that is about to end is left to those who write next.
    await waitFor(() => killed.every((pid) => !existsSync(`/proc/${pid}`)));
    await scrape();
  });

  it('shows statements that could not be run at all', async () => {
    const key = name();
    await ok(app.azure.put(`/kv/${key}`, { value: '1' }));
    await app.sql('BEGIN');
    await app.sql('SELECT FROM key_value WHERE key = $1 FOR UPDATE', [key]);
    const before = await scrape();
    let refused = 0;
    const writes = Array.from({ length: 8 }, async (_, value) => {
      const answer = await app.azure.put(`/kv/${key}`, { value: `v${value}` });
      if (answer.status === 503) refused++;
      return answer;
    });
    // Not by the metric: a scrape's own statements are refused and counted as well.
    await waitFor(() => refused >= 4);
    await app.sql('COMMIT');
    const statuses = (await Promise.all(writes)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(4);
    const after = await scrape();
    const unavailable = 'database_unavailable_total';
    expect(after.get(unavailable)! - (before.get(unavailable) ?? 0)).toBeGreaterThanOrEqual(4);
    const none = 'database_errors_total{reason="no-connection"}';
    expect(after.get(none)! - (before.get(none) ?? 0)).toBeGreaterThanOrEqual(4);
  });

  it('shows its time for statements, and how far the clock of this host is off', async () => {
    // A look at the clock that is held up says less; there is another one every 10 s.
    await waitFor(async () => Math.abs((await scrape()).get('clock_skew_seconds')!) < 1);
    const samples = await scrape();
    expect(samples.get('db_statement_duration_seconds_count')).toBeGreaterThan(0);
    expect(samples.get('db_pool_waiting')).toBe(0);
    expect(samples.get('db_pool_connections{state="idle"}')).toBeGreaterThanOrEqual(0);
  });

  it('shows what the retention purge removed', async () => {
    await app.sql(`UPDATE content_lock SET expires_at = clock_timestamp() - interval '2 days'`);
    const purge = (): Promise<unknown> => app.app.get(RetentionService, { strict: false }).purge();
    expect(await added('purged_rows_total{what="contentLocks"}', purge)).toBeGreaterThan(0);
  });

  it('shows purges that failed', async () => {
    const retention = app.app.get(RetentionService, { strict: false });
    const purge = jest.spyOn(retention, 'purge').mockRejectedValueOnce(new Error('no purge'));
    const fail = async (): Promise<void> => {
      jest.useFakeTimers({ now: Date.now(), doNotFake: ['performance', 'nextTick', 'setImmediate', 'Date'] });
      try {
        retention.onApplicationBootstrap();
        await jest.advanceTimersByTimeAsync(60_000);
      } finally {
        jest.useRealTimers();
      }
      expect(purge).toHaveBeenCalledTimes(1);
      purge.mockRestore();
    };
    expect(await added('purge_failures_total', fail)).toBe(1);
  });
});

describe('labels', () => {
  it('hold nothing that callers or operators named', async () => {
    const secret = `secret-${randomUUID()}`;
    await ok(app.azure.put(`/kv/${secret}?label=${secret}`, { value: secret }));
    await native.grant(secret, secret);
    await native.as(secret, secret).list();
    await freshObject(editors, { id: secret });
    await app.azure.get(`/${secret}`, unsigned);
    expect((await app.azure.get('/metrics', unsigned)).text).not.toContain('secret-');
  });
});
