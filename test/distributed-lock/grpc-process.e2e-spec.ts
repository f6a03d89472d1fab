import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { GrpcClient, RawGrpc } from '../support/grpc-client';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';

const CANCELLED = 1;
const UNAVAILABLE = 14;

// The service refuses the run's own server, which flushes nothing.
let postgres: EmbeddedPostgres;
let postgresDir: string;
beforeAll(async () => {
  postgresDir = newDataDir();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  postgres = await EmbeddedPostgres.start({ dataDir: postgresDir, maxConnections: 100, log });
});
afterAll(async () => {
  await postgres.stop();
  rmSync(postgresDir, { recursive: true, force: true });
});

let count = 0;
let dataDir: string;
let env: Record<string, string>;
let database: Client;
const clients: GrpcClient[] = [];
beforeEach(async () => {
  dataDir = newDataDir();
  const name = `grpc_${++count}`;
  const admin = new Client({ ...postgres.address, database: 'postgres' });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const { host, port, user, password } = postgres.address;
  const url = `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${name}`;
  env = { DATABASE_URL: url, DATA_DIR: dataDir };
  database = new Client({ connectionString: url });
  await database.connect();
});
afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  await database.end();
  rmSync(dataDir, { recursive: true, force: true });
});

const connect = (port: number): GrpcClient => {
  const client = new GrpcClient(port);
  clients.push(client);
  return client;
};

it('picks a free port for GRPC_PORT=0, prints it, and logs each call in one line', async () => {
  const service = await ServiceProcess.start(env);
  const client = connect(service.grpcPort);
  expect((await client.tryLock('a', 'one')).answer).toEqual({ success: true });
  await client.callUnknown('/no/method');
  const lines = (target: string): object[] =>
    service.stderr
      .split('\n')
      .filter((line) => line.includes(`"${target}"`))
      .map((line) => JSON.parse(line) as object);
  await waitFor(() => lines('/no/method').length > 0);
  expect(lines('/dapr.proto.runtime.v1.Dapr/TryLockAlpha1')).toMatchObject([
    { level: 'info', requestId: expect.any(String), method: 'gRPC', status: 0, address: '127.0.0.1' },
  ]);
  expect(lines('/no/method')).toMatchObject([{ method: 'gRPC', status: 12 }]);
  expect(await service.stop()).toBe(0);
});

it('listens nowhere with GRPC_PORT=off', async () => {
  const service = await ServiceProcess.start({ ...env, GRPC_PORT: 'off' });
  expect(service.stdout).toMatch(/^listening on \S+ grpc off$/m);
  expect(await service.stop()).toBe(0);
});

it.each(['1', '2'])('says in one line for each process that GRPC_PORT is taken (WORKERS=%s)', async (workers) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const service = new ServiceProcess({ ...env, GRPC_PORT: String(port), WORKERS: workers, LOG_LEVEL: 'silent' });
  expect(await service.exit()).toBe(1);
  taken.close();
  const [line] = service.stderr.trim().split('\n');
  expect(line).toBe(
    `latchkey: ${workers === '1' ? 'listen' : 'bind'} EADDRINUSE${workers === '1' ? ': address already in use' : ''} 127.0.0.1:${port}: choose another GRPC_PORT`,
  );
});

it('shares one port among workers, also after one was killed', async () => {
  const service = await ServiceProcess.start({ ...env, WORKERS: '2' });
  const { grpcPort } = service;
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => connect(grpcPort).tryLock('one', `o${index}`)),
  );
  expect(answers.filter(({ answer }) => answer?.['success'] === true)).toHaveLength(1);
  expect(answers.filter(({ code }) => code !== 0)).toEqual([]);

  const children = (): number[] =>
    readFileSync(`/proc/${service.pid}/task/${service.pid}/children`, 'utf8').trim().split(' ').map(Number);
  const [first] = children();
  process.kill(first!, 'SIGKILL');
  await waitFor(() => children().length === 2 && !children().includes(first!));
  // Connections take turns: of this many, the new worker has some.
  await waitFor(async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => connect(grpcPort).tryLock('one', 'late')));
    return outcomes.every(({ code }) => code === 0);
  });
  service.signal('SIGTERM');
  expect(await service.exit()).toBe(0);
});

it('finishes calls under way when told to stop, and waits neither for idle clients nor for unfinished requests', async () => {
  // Behind a pooler, where a call may wait for a row for 8 s and not for 2: until the port is closed.
  const service = await ServiceProcess.start({ ...env, DB_POOLER: 'true', SHUTDOWN_GRACE_SECONDS: '20' });
  const idle = connect(service.grpcPort);
  expect((await idle.tryLock('held', 'one')).answer).toEqual({ success: true });
  const raw = RawGrpc.open(service.grpcPort);
  raw.openStream('TryLockAlpha1');
  await new Promise<void>((resolve) => raw.session.ping(() => resolve()));

  await database.query('BEGIN');
  await database.query('SELECT FROM lease FOR UPDATE');
  const underWay = connect(service.grpcPort).unlock('held', 'one');
  const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  await waitFor(async () => (await database.query(waiting)).rowCount === 1);
  const stoppedAt = Date.now();
  service.signal('SIGTERM');
  // Two seconds of notice, in which calls are still taken; then the port is closed.
  await waitFor(async () => (await connect(service.grpcPort).call('GetMetadata', {})).code === UNAVAILABLE);
  await database.query('ROLLBACK');
  expect((await underWay).answer).toEqual({ status: 0 });
  expect(await service.exit()).toBe(0);
  // Otherwise it would take the whole grace time.
  expect(Date.now() - stoppedAt).toBeLessThan(18_000);
  raw.close();
});

it('cuts off what is left at the end of the grace time', async () => {
  const service = await ServiceProcess.start({ ...env, SHUTDOWN_GRACE_SECONDS: '1' });
  const client = connect(service.grpcPort);
  await client.tryLock('held', 'one');
  await database.query('BEGIN');
  await database.query('SELECT FROM lease FOR UPDATE');
  const underWay = client.unlock('held', 'one');
  const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  await waitFor(async () => (await database.query(waiting)).rowCount === 1);
  const exited = service.stop();
  expect([CANCELLED, UNAVAILABLE]).toContain((await underWay).code);
  await waitFor(() => service.stderr.includes('requests were cut off'));
  await database.query('ROLLBACK');
  expect(await exited).toBe(0);
});

it('shows new connections a renewed certificate after SIGHUP', async () => {
  const TLS = join(__dirname, '../support/tls');
  const files = { TLS_CERT_FILE: join(dataDir, 'cert.pem'), TLS_KEY_FILE: join(dataDir, 'key.pem') };
  const put = (pair: string): string => {
    copyFileSync(join(TLS, `${pair}.cert.pem`), files.TLS_CERT_FILE);
    copyFileSync(join(TLS, `${pair}.key.pem`), files.TLS_KEY_FILE);
    return new X509Certificate(readFileSync(files.TLS_CERT_FILE)).fingerprint256;
  };
  const first = put('test-only');
  const service = await ServiceProcess.start({ ...env, ...files });
  const shown = async (): Promise<{ fingerprint: string; protocol: unknown }> => {
    const options = { host: '127.0.0.1', port: service.grpcPort, rejectUnauthorized: false, ALPNProtocols: ['h2'] };
    const socket = connectTls(options);
    await once(socket, 'secureConnect');
    const { fingerprint256: fingerprint } = socket.getPeerCertificate();
    socket.destroy();
    return { fingerprint, protocol: socket.alpnProtocol };
  };
  expect(await shown()).toEqual({ fingerprint: first, protocol: 'h2' });
  const renewed = put('renewed');
  service.signal('SIGHUP');
  await waitFor(async () => (await shown()).fingerprint === renewed);
  expect(await service.stop()).toBe(0);
});
