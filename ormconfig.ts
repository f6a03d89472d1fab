import { dataSourceOptions } from './src/database/connection.js';
import { MigratingDataSource } from './src/database/migrating-data-source.js';

/**
 * For TypeORM's command line (`npm run migration:run`), against the server that `DATABASE_URL` names. The service itself runs its
 * migrations at start and needs none of this.
 */
const url = process.env['DATABASE_URL'];
if (!url) throw new Error('DATABASE_URL must name the database to migrate');

const options = dataSourceOptions(url, { poolMax: 2 });
const extra = options.extra as { options: string };
// A migration may take longer than a request may; of two settings the server takes the later one.
const unhurried = { ...extra, options: `${extra.options} -c statement_timeout=0 -c lock_timeout=0` };

export default new MigratingDataSource({ ...options, extra: unhurried });
