// A replica as a process of its own, from any build: argument 1 is the build, 2 what to do, 3 a database.
require('reflect-metadata');
const { join } = require('node:path');

const [, , build, task, database] = process.argv;
const src = join(build, 'src');

if (task === 'serve') {
  // Its parent speaks the primary's part.
  void require(join(src, 'process', 'worker.js')).runWorker();
} else {
  const { pino } = require('pino');
  const { migrate } = require(join(src, 'database', 'migrate.js'));
  void migrate(JSON.parse(database), { migrateOnStart: true, dbPooler: false }, pino({ level: 'silent' }));
}
