import { type AzureAnswer, type AzureHttp } from '../support/azure-http';
import { type TestApp } from '../support/start-app';

/** What the specs of snapshots need beside the public API: many of them at once, an expired one, and items to keep. */

export const SNAPSHOT_TYPE = 'application/vnd.microsoft.appconfig.snapshot+json';

export const targetOf = (name: string): string => `/snapshots/${encodeURIComponent(name)}`;

export const ALL = { filters: [{ key: '*', label: '*' }], composition_type: 'key_label' };

/** Creates a snapshot; of everything, unless the body says otherwise. */
export function create(azure: AzureHttp, name: string, body: object | string = ALL): Promise<AzureAnswer> {
  return azure.put(targetOf(name), body, { headers: { 'content-type': SNAPSHOT_TYPE } });
}

/** Archives or recovers. */
export function patch(
  azure: AzureHttp,
  name: string,
  body: object | string,
  headers: Record<string, string> = {},
): Promise<AzureAnswer> {
  return azure.send('PATCH', targetOf(name), {
    body,
    headers: { 'content-type': 'application/merge-patch+json', ...headers },
  });
}

export const itemsOf = (name: string): string => `/kv?snapshot=${encodeURIComponent(name)}`;

/** Moves the end of an archived snapshot into the past. */
export async function expire(app: TestApp, name: string): Promise<void> {
  const rows = await app.sql(
    `UPDATE snapshot SET expires = clock_timestamp() - interval '1 microsecond' WHERE name = $1 RETURNING id`,
    [name],
  );
  if (rows.length !== 1) throw new Error(`there is no snapshot ${name}`);
}

/** A snapshot that is gone, but whose rows are still there. */
export async function makeExpired(app: TestApp, name: string): Promise<void> {
  await create(app.azure, name);
  await patch(app.azure, name, { status: 'archived' });
  await expire(app, name);
}

/** A snapshot that selected more than fits; what it selected is removed again. No put makes so large a key-value. */
export async function makeFailed(app: TestApp, name: string): Promise<AzureAnswer> {
  await app.sql(
    `INSERT INTO key_value (key, label, value, tags, etag, revision, last_modified)
     VALUES ('too large', '', repeat('x', 1048576), '{}', 'e', 1, clock_timestamp())`,
  );
  const answer = await create(app.azure, name, { filters: [{ key: 'too large' }] });
  await app.sql(`DELETE FROM key_value WHERE key = 'too large'`);
  return answer;
}

export async function removeSnapshots(app: TestApp): Promise<void> {
  await app.sql('DELETE FROM snapshot_item');
  await app.sql('DELETE FROM snapshot');
}
