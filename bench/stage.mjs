// What the cells run on: one scratch PostgreSQL, services in front of it, the bare server, and other programs. Each part is started when
// the first cell asks for it.
import { once } from 'node:events';
import pg from 'pg';
import * as bench from './machine.mjs';
import { isPeer, startPeer } from './peers.mjs';
import { KEY } from './signed-request.mjs';

export const EDITOR = { name: 'bench', password: 'bench' };

/** The services by the name under which cells ask for them. Those to be compared with several workers get all cores, as those do. */
const SERVICES = {
  service: { core: bench.SERVER_CORE, workers: '1' },
  oneWorker: { core: bench.ALL_CORES, workers: '1' },
  twoWorkers: { core: bench.ALL_CORES, workers: '2' },
};

/**
 * `part(name)` gives a part, started if need be: `service`, `oneWorker`, `twoWorkers`, `bare`, `etcd` or `redis`. One that cannot run
 * here has `absent`, the reason. `close` ends all of them; each part removes its own files.
 *
 * @param options.nodeFlags for the services, such as those that write a profile
 */
export async function openStage({ nodeFlags = [] } = {}) {
  const postgres = bench.start(
    bench.OTHER_CORE,
    [process.execPath, 'bench/database/postgres.mjs'],
    {},
    { endsWithUs: true },
  );
  const [, addressText] = await bench.firstOutput(postgres, /^(\{.*\})$/m);
  const address = JSON.parse(addressText);
  const parts = new Map();
  const startPart = (name) => {
    if (isPeer(name)) return startPeer(name);
    return name === 'bare' ? startBare() : startService(address, name, nodeFlags);
  };
  return {
    address,
    postgresVersion: await versionOf(address),
    part(name) {
      if (!parts.has(name)) parts.set(name, startPart(name));
      return parts.get(name);
    },
    async close() {
      for (const part of parts.values()) await (await part).stop();
      postgres.stdin.end();
      await once(postgres, 'exit');
    },
  };
}

async function versionOf(address) {
  const client = new pg.Client(address);
  await client.connect();
  const { rows } = await client.query('SHOW server_version');
  await client.end();
  return rows[0].server_version;
}

async function startBare() {
  const child = bench.start(bench.SERVER_CORE, [process.execPath, 'bench/bare-server.mjs']);
  const [port] = await bench.firstOutput(child, /^\d+$/m);
  return { port: Number(port), pid: child.pid, stop: () => bench.stop(child, 'SIGKILL') };
}

/**
 * One service on free ports; `LOG_LEVEL` reaches it.
 *
 * @param name one of `SERVICES`
 */
export async function startService(address, name, nodeFlags = []) {
  const { core, workers } = SERVICES[name];
  const { user, password, host, port, database } = address;
  const dataDir = bench.newFolder();
  const command = [process.execPath, ...nodeFlags].map((word) => `"${word}"`).join(' ');
  const child = bench.start(core, ['sh', '-c', `exec ${command} dist/src/main.js 2>/dev/null`], {
    DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`,
    DATA_DIR: dataDir,
    PORT: '0',
    GRPC_PORT: '0',
    ACCESS_KEYS: `${KEY.id}:${KEY.secret}:rw`,
    CMS_USERS: `${EDITOR.name}:${EDITOR.password}:manager`,
    LOG_FORMAT: 'json',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
    WORKERS: workers,
  });
  const listening = /^listening on http:\/\/127\.0\.0\.1:(\d+) grpc 127\.0\.0\.1:(\d+)$/m;
  const [, httpPort, grpcPort] = await bench.firstOutput(child, listening);
  return {
    // With several workers the first process only looks after the others.
    pid: workers === '1' ? child.pid : undefined,
    port: Number(httpPort),
    grpcPort: Number(grpcPort),
    idleMb: bench.residentMb(child.pid),
    async stop() {
      await bench.stop(child);
      bench.remove(dataDir);
    },
  };
}
