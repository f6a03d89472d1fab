import { invalidArgument } from '../../problem/catalogue.js';
import { SNAPSHOT_STATUSES, type SnapshotStatus } from '../snapshot.js';

/** Selected on the wire but never stored: nothing is found by it. */
const PROVISIONING = 'provisioning';

/**
 * Reads the `status` parameter of `GET /snapshots` (Azure contract 10.4): states separated by commas; absent or `*` for all.
 *
 * @throws Problem `invalid-argument` for `status`
 */
export function parseStatusFilter(value: string | undefined): readonly SnapshotStatus[] {
  if (value === undefined || value === '*') return SNAPSHOT_STATUSES;
  const names = value.split(',').map((name) => name.trim());
  const known: readonly string[] = [...SNAPSHOT_STATUSES, PROVISIONING];
  if (!names.every((name) => known.includes(name))) throw invalidArgument('status');
  return SNAPSHOT_STATUSES.filter((status) => names.includes(status));
}
