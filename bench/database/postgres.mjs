// A scratch PostgreSQL that flushes like the product's; prints its address. Stops, and removes its files, when standard input ends.
import { newFolder, require } from '../machine.mjs';

const { EmbeddedPostgres } = require('../dist/src/database/embedded/embedded-postgres.js');
const log = { info: () => undefined, warn: () => undefined, error: (message) => process.stderr.write(`${message}\n`) };
// Whoever started us may be interrupted from the keyboard, and we with it: its end is what counts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal).on(signal, () => undefined);
const postgres = await EmbeddedPostgres.start({ dataDir: newFolder(), maxConnections: 150, log });
process.stdout.write(`${JSON.stringify(postgres.address)}\n`);
process.stdin.resume();
process.stdin.on('end', async () => {
  await postgres.stop();
  process.exit(0);
});
