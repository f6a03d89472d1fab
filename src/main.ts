import 'reflect-metadata';
import cluster from 'node:cluster';
import { SettingsError } from './config/settings-error.js';
import { EmbeddedPostgresError } from './database/embedded/embedded-postgres.js';
import { startService } from './process/service.js';
import { runWorker } from './process/worker.js';

/** `sysexits.h`: configuration error. Nothing but an operator's change makes the next start succeed. */
const EX_CONFIG = 78;

const running = cluster.isPrimary ? startService(__filename) : runWorker();
running.catch((error: unknown) => {
  const isConfiguration = error instanceof SettingsError || error instanceof EmbeddedPostgresError;
  const lines = error instanceof SettingsError ? error.faults : [describe(error, isConfiguration)];
  for (const line of lines) process.stderr.write(`latchkey: ${line}\n`);
  process.exit(isConfiguration ? EX_CONFIG : 1);
});

function describe(error: unknown, isConfiguration: boolean): string {
  if (!(error instanceof Error)) return String(error);
  const { code, setting = 'PORT' } = error as NodeJS.ErrnoException & { setting?: string };
  if (code === 'EADDRINUSE') return `${error.message}: choose another ${setting}`;
  return isConfiguration ? error.message : (error.stack ?? error.message);
}
