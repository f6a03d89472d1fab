// Other programs, where they are installed. They take the service's place on its core, their storage included; each flushes to disk
// before it answers, as the service does.
import { connect } from 'node:net';
import { join } from 'node:path';
import * as bench from './machine.mjs';

const START_MS = 10_000;

/** By the name under which cells ask for them. */
const PEERS = {
  etcd: {
    program: 'etcd',
    args: async (folder, port) => {
      const client = `http://127.0.0.1:${port}`;
      const peer = `http://127.0.0.1:${await bench.freePort()}`;
      return [
        ['--name', 'bench', '--data-dir', join(folder, 'data'), '--logger', 'zap', '--log-level', 'error'],
        ['--listen-client-urls', client, '--advertise-client-urls', client],
        ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `bench=${peer}`],
      ].flat();
    },
  },
  redis: {
    program: 'redis-server',
    args: async (folder, port) =>
      [
        ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--loglevel', 'warning'],
        ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
      ].flat(),
  },
};

export const isPeer = (name) => name in PEERS;

/** @returns `{ port, pid, stop }`, or `{ absent }` with the reason why it does not run */
export async function startPeer(name) {
  const { program, args } = PEERS[name];
  if (!bench.has(program)) return { absent: 'not installed', stop: async () => undefined };
  const folder = bench.newFolder();
  const port = await bench.freePort();
  const child = bench.start(bench.SERVER_CORE, [program, ...(await args(folder, port))]);
  child.stdout.resume();
  const stop = async () => {
    await bench.stop(child, 'SIGTERM');
    bench.remove(folder);
  };
  if (await isListening(port)) return { port, pid: child.pid, stop };
  await stop();
  return { absent: `did not listen within ${START_MS / 1000} s`, stop: async () => undefined };
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
