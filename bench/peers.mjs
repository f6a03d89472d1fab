// Other programs' locks, where their programs are installed. They take the service's place on its core, their storage included; each
// flushes to disk before it answers, as the service does.
import { connect } from 'node:net';
import * as bench from './machine.mjs';

export const ETCD = 'etcd v3lock, HTTP gateway';
const ETCD_PORT = 18_081;
const ETCD_PEER_PORT = 18_082;
const REDIS_PORT = 18_083;
const START_MS = 10_000;

/** `way` is how the load generator speaks to it. */
const PEERS = [
  {
    name: ETCD,
    way: 'etcd',
    program: 'etcd',
    port: ETCD_PORT,
    args: (folder) => {
      const client = `http://127.0.0.1:${ETCD_PORT}`;
      const peer = `http://127.0.0.1:${ETCD_PEER_PORT}`;
      return [
        ['--name', 'bench', '--data-dir', folder, '--log-level', 'error'],
        ['--listen-client-urls', client, '--advertise-client-urls', client],
        ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `bench=${peer}`],
      ].flat();
    },
  },
  {
    name: 'Redis, appendfsync always',
    way: 'redis',
    program: 'redis-server',
    port: REDIS_PORT,
    args: (folder) =>
      [
        ['--bind', '127.0.0.1', '--port', String(REDIS_PORT), '--dir', folder, '--loglevel', 'warning'],
        ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
      ].flat(),
  },
];

/** Starts the peers that are installed; the others come back with the reason why not. `close` ends them and removes their files. */
export async function startPeers() {
  const running = [];
  const absent = [];
  for (const peer of PEERS) {
    if (!bench.has(peer.program)) {
      absent.push({ name: peer.name, reason: 'not installed' });
      continue;
    }
    const folder = bench.newFolder();
    const child = bench.start(bench.SERVER_CORE, [peer.program, ...peer.args(folder)]);
    child.stdout.resume();
    const close = async () => {
      await bench.stop(child, 'SIGTERM');
      bench.remove(folder);
    };
    if (await isListening(peer.port)) running.push({ ...peer, close });
    else {
      await close();
      absent.push({ name: peer.name, reason: `did not listen within ${START_MS / 1000} s` });
    }
  }
  return { running, absent, close: () => Promise.all(running.map((peer) => peer.close())) };
}

async function isListening(port) {
  for (const until = Date.now() + START_MS; Date.now() < until;) {
    const isOpen = await new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
