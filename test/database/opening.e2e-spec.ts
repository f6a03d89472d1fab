import { type Pool } from 'pg';
import { DataSource } from 'typeorm';
import { type Settings } from '../../src/config/settings';
import { type DatabaseAddress, dataSourceOptions } from '../../src/database/connection';
import { Database, type Statement } from '../../src/database/database';
import { Metrics } from '../../src/metrics/metrics';
import { TcpProxy } from '../faults/harness/tcp-proxy';
import { OwnTime } from '../support/own-time';
import { waitFor } from '../support/wait-for';

const POOL = 4;
const PING: Statement = { name: 'spec_ping', text: 'SELECT 1', isWrite: false };

let proxy: TcpProxy;
let through: DatabaseAddress;
let source: DataSource;
let database: Database;

beforeEach(async () => {
  const address = JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress;
  const { host, port } = address;
  proxy = await TcpProxy.start('to the database', host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : port);
  through = { ...address, host: '127.0.0.1', port: proxy.port, database: 'postgres' };
  source = await new DataSource(dataSourceOptions(through, { poolMax: POOL })).initialize();
  database = new Database(source, { dbPooler: false } as Settings, new Metrics());
});
afterEach(async () => {
  proxy.close();
  await source.destroy();
});

const pings = (count: number): Promise<PromiseSettledResult<unknown>[]> =>
  Promise.allSettled(Array.from({ length: count }, () => database.query(PING, [])));
/** Connections of the pool that are open and not in use. */
const idle = (): number => (source.driver as unknown as { master: Pool }).master.idleCount;
const refused = (results: PromiseSettledResult<unknown>[]): unknown[] =>
  results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));

describe('while connections to a slow database are opened', () => {
  it('requests wait for them, and the pool grows to its full size', async () => {
    proxy.delayMs = 100;
    expect(proxy.connections).toBe(1);
    // One more than may be open at once, so that somebody also waits behind the first.
    expect(refused(await pings(POOL + 1))).toEqual([]);
    expect(proxy.connections).toBe(POOL);
  });

  it('a connection that nobody waits for any more joins the pool', async () => {
    proxy.hold('down');
    let refusals = 0;
    const asking = Array.from({ length: POOL }, () => database.query(PING, []).catch(() => refusals++));
    expect(database.isCrowded).toBe(false);
    await waitFor(() => database.isCrowded);
    expect(refusals).toBe(0);
    // The first of them has the connection that was open already.
    await waitFor(() => refusals === POOL - 1);
    proxy.release();
    await Promise.all(asking);
    expect(database.isCrowded).toBe(false);
    await waitFor(() => idle() === POOL);
    expect(refused(await pings(POOL))).toEqual([]);
    expect(proxy.connections).toBe(POOL);
  });
});

describe('a standstill of the process', () => {
  it('is not taken for a busy pool', async () => {
    await pings(POOL);
    await waitFor(() => idle() === POOL);
    // In three rounds, of which only the first is under way by then.
    const asked = pings(3 * POOL);
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 700;
    while (performance.now() < until);
    expect(refused(await asked)).toEqual([]);
  });
});

describe('a database that is silent', () => {
  it('makes nobody wait for a connection to it', async () => {
    proxy.resetAll();
    proxy.hold('down');
    const time = new OwnTime();
    const problems = refused(await pings(POOL + 1));
    expect(problems).toHaveLength(POOL + 1);
    for (const problem of problems) expect(problem).toMatchObject({ status: 503, kind: 'unavailable' });
    expect(time.ownMs).toBeLessThan(1_500);
    time.stop();
  });
});

describe('the environment', () => {
  const foreign = { PGSSLMODE: 'require', PGSSLNEGOTIATION: 'direct', PGOPTIONS: '-c statement_timeout=1' };
  const before = { ...process.env };
  beforeEach(() => void Object.assign(process.env, foreign));
  afterEach(() => void (process.env = { ...before }));

  it('changes nothing about the connections to a database of our own, whatever it holds for others', async () => {
    const own = await new DataSource(dataSourceOptions(through, { poolMax: 1 })).initialize();
    const rows = await own.query<unknown[]>('SHOW statement_timeout');
    await own.destroy();
    expect(rows).toEqual([{ statement_timeout: '5s' }]);
  });
});
