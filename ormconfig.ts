import { dataSourceOptions } from './src/database/connection.js';
import { ServiceDataSource } from './src/database/service-data-source.js';

/**
 * For TypeORM's command line (`npm run migration:run`), against the server that `DATABASE_URL` names. The service itself runs its
 * migrations at start and needs none of this.
 */
const url = process.env['DATABASE_URL'];
if (!url) throw new Error('DATABASE_URL must name the database to migrate');

export default new ServiceDataSource(dataSourceOptions(url, { poolMax: 2 }));
