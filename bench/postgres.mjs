// A scratch PostgreSQL that flushes like the product's; prints its address, stops when standard input ends.
import { require } from './machine.mjs';

const { EmbeddedPostgres } = require('../dist/src/database/embedded/embedded-postgres.js');
const log = { info: () => undefined, warn: () => undefined, error: (message) => process.stderr.write(`${message}\n`) };
const postgres = await EmbeddedPostgres.start({ dataDir: process.argv[2], maxConnections: 150, log });
process.stdout.write(`${JSON.stringify(postgres.address)}\n`);
process.stdin.resume();
process.stdin.on('end', async () => {
  await postgres.stop();
  process.exit(0);
});
