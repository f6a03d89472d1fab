import { Client } from 'pg';
import { type DatabaseAddress } from '../../src/database/connection';

let count = 0;

/** Runs SQL on the maintenance database of the run's server: what cannot be done from inside the database concerned. */
export async function adminSql(text: string): Promise<void> {
  const server = JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress;
  const admin = new Client({ ...server, database: 'postgres' });
  await admin.connect();
  try {
    await admin.query(text);
  } finally {
    await admin.end();
  }
}

/** Makes an empty database for a spec that brings the schema itself. */
export async function createEmptyDatabase(): Promise<DatabaseAddress> {
  const server = JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress;
  const database = `empty_${process.pid}_${process.env['JEST_WORKER_ID']}_${Date.now()}_${++count}`;
  await adminSql(`CREATE DATABASE ${database}`);
  return { ...server, database };
}
