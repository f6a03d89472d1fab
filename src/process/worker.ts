import cluster from 'node:cluster';
import { loadSettings } from '../config/load-settings.js';
import { createLogger } from '../logging/logger.js';
import { serve } from './serve.js';
import { type PrimaryMessage, type WorkerAssignment, type WorkerMessage } from './workers.js';

const tell = (message: WorkerMessage): void => void process.send?.(message);

/** One of several serving processes; the primary hands it secrets and the database, and says when to stop. */
export async function runWorker(): Promise<void> {
  const settings = loadSettings(process.env, process.stderr.isTTY);
  const logger = createLogger(settings.logLevel, settings.logFormat);
  // Ctrl-C reaches the whole group; the primary alone decides what it means.
  process.on('SIGINT', () => undefined);
  const { credentials, database, port } = await assignmentFromPrimary();
  const context = {
    settings,
    logger,
    database,
    credentials: { ...credentials, masterKey: Buffer.from(credentials.masterKey) },
  };
  const server = await serve(context, port);
  const stop = async (withNotice: boolean): Promise<void> => {
    await server.drain({ withNotice });
    cluster.worker?.disconnect();
    process.exit(0);
  };
  process.on('message', (message: PrimaryMessage) => {
    if (message.kind === 'drain') void stop(message.withNotice);
  });
  process.on('SIGTERM', () => void stop(true));
  tell({ kind: 'listening', port: server.port });
}

function assignmentFromPrimary(): Promise<WorkerAssignment> {
  return new Promise((resolve) => {
    process.on('message', (message: PrimaryMessage) => {
      if (message.kind === 'assignment') resolve(message.assignment);
    });
    tell({ kind: 'hello' });
  });
}
