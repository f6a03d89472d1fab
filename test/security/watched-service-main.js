// The built service as a process of its own, with a watch on its event loop. See watched-service.ts.
require('reflect-metadata');
const { once } = require('node:events');
const { join } = require('node:path');
const { pino } = require('pino');

const src = join(__dirname, '..', '..', 'dist', 'src');
const load = (...path) => require(join(src, ...path));

/** Milliseconds between two looks; a stall is what a look is late by. */
const INTERVAL_MS = 5;

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

let lookedAt = performance.now();
let cpuAtLook = cpuMs();
let stallMs = 0;
/**
 * A turn of the event loop that lasts makes the next look late, but so does a machine that is busy with others. Only time in which this
 * process computed as well counts, so the smaller of the two is what its own work held up.
 */
function look() {
  const now = performance.now();
  const cpu = cpuMs();
  stallMs = Math.max(stallMs, Math.min(now - lookedAt - INTERVAL_MS, cpu - cpuAtLook));
  lookedAt = now;
  cpuAtLook = cpu;
}

async function start({ env, database }) {
  const { createApp } = load('app.setup.js');
  const { loadSettings } = load('config', 'load-settings.js');
  const { startGrpc } = load('distributed-lock', 'grpc', 'start-grpc.js');
  const { loadLockStores } = load('lease', 'load-lock-stores.js');
  const { loggerOptions } = load('logging', 'logger.js');
  const settings = loadSettings(env, false);
  const context = {
    settings,
    database,
    credentials: { masterKey: Buffer.alloc(32, 7), jwtSecret: 'a secret of at least 32 characters for tests' },
    logger: pino(loggerOptions('error'), { write: (line) => process.send({ kind: 'log', line }) }),
    lockStores: loadLockStores(settings, env).stores,
  };
  const app = await createApp(context);
  const grpc = await startGrpc(app, context, settings.grpcPort);
  const http = app.getHttpServer().listen(settings.port, '127.0.0.1');
  await once(http, 'listening');
  process.send({ kind: 'listening', port: http.address().port, grpcPort: grpc.port });
  // What the start took is nobody's input.
  look();
  stallMs = 0;
  setInterval(look, INTERVAL_MS);
}

process.on('message', (message) => {
  if (message.kind === 'start') return void start(message);
  look();
  process.send({ kind: 'figures', stallMs, cpuMs: cpuMs() });
  stallMs = 0;
});
process.on('uncaughtExceptionMonitor', (error) => process.send({ kind: 'log', line: `uncaught: ${error.stack}` }));
// Its parent is gone.
process.on('disconnect', () => process.exit(1));
