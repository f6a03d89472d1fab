// What every benchmark runs on: one scratch PostgreSQL, the service in front of it, and the bare server.
import { once } from 'node:events';
import * as bench from './machine.mjs';

export const BARE_PORT = 18_080;

/** Starts all of it. `close` ends all of it; each part removes its own files. */
export async function openStage() {
  const postgres = bench.start(bench.OTHER_CORE, [process.execPath, 'bench/postgres.mjs'], {}, { endsWithUs: true });
  const [, addressText] = await bench.firstOutput(postgres, /^(\{.*\})$/m);
  const address = JSON.parse(addressText);
  const service = await startService(address);
  const idleMb = bench.residentMb(service.pid);
  const bare = bench.start(bench.SERVER_CORE, [process.execPath, 'bench/bare-server.mjs', String(BARE_PORT)]);
  return {
    address,
    service,
    idleMb,
    async close() {
      await bench.stop(bare, 'SIGKILL');
      await service.stop();
      postgres.stdin.end();
      await once(postgres, 'exit');
    },
  };
}

/** One service, of its own kind where `env` says so, on free ports. */
export async function startService(address, env = {}) {
  const { user, password, host, port, database } = address;
  const dataDir = bench.newFolder();
  const child = bench.start(
    bench.SERVER_CORE,
    ['sh', '-c', `exec "${process.execPath}" dist/src/main.js 2>/dev/null`],
    {
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`,
      DATA_DIR: dataDir,
      PORT: '0',
      GRPC_PORT: '0',
      ACCESS_KEYS: `${bench.KEY.id}:${bench.KEY.secret}:rw`,
      LOG_FORMAT: 'json',
      LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
      WORKERS: process.env.WORKERS ?? '1',
      ...env,
    },
  );
  const listening = /^listening on http:\/\/127\.0\.0\.1:(\d+) grpc 127\.0\.0\.1:(\d+)$/m;
  const [, httpPort, grpcPort] = await bench.firstOutput(child, listening);
  return {
    pid: child.pid,
    port: httpPort,
    grpcPort,
    async stop() {
      await bench.stop(child);
      bench.remove(dataDir);
    },
  };
}
