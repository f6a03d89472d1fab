import { KeyValue1763000000001 } from './1763000000001-key-value.js';
import { AccessKey1763000000002 } from './1763000000002-access-key.js';
import { Snapshot1763000000003 } from './1763000000003-snapshot.js';
import { TombstoneIndex1763000000004 } from './1763000000004-tombstone-index.js';

/** Every migration, oldest first. Listed by hand: a glob would find nothing in a bundle and everything in a test run. */
export const migrations = [
  KeyValue1763000000001,
  AccessKey1763000000002,
  Snapshot1763000000003,
  TombstoneIndex1763000000004,
];
