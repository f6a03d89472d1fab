import { KeyValue1763000000001 } from './1763000000001-key-value.js';
import { AccessKey1763000000002 } from './1763000000002-access-key.js';
import { Snapshot1763000000003 } from './1763000000003-snapshot.js';
import { TombstoneIndex1763000000004 } from './1763000000004-tombstone-index.js';
import { Lease1763000000005 } from './1763000000005-lease.js';
import { AuditLog1763000000006 } from './1763000000006-audit-log.js';
import { DaprMetadata1763000000007 } from './1763000000007-dapr-metadata.js';
import { Content1763000000008 } from './1763000000008-content.js';
import { ContentLock1763000000009 } from './1763000000009-content-lock.js';
import { AccessKeyOrigin1763000000010 } from './1763000000010-access-key-origin.js';
import { SeenSignature1763000000011 } from './1763000000011-seen-signature.js';
import { RevisionTransactionIndex1763000000012 } from './1763000000012-revision-transaction-index.js';
import { LeaseFence1763000000013 } from './1763000000013-lease-fence.js';
import { LeaseRisingFence1763000000014 } from './1763000000014-lease-rising-fence.js';
import { ContentLevels1763000000015 } from './1763000000015-content-levels.js';
import { ContentCosts1763000000016 } from './1763000000016-content-costs.js';
import { ContentBounds1763000000017 } from './1763000000017-content-bounds.js';

/** Every migration, oldest first. Listed by hand: a glob would find nothing in a bundle and everything in a test run. */
export const migrations = [
  KeyValue1763000000001,
  AccessKey1763000000002,
  Snapshot1763000000003,
  TombstoneIndex1763000000004,
  Lease1763000000005,
  AuditLog1763000000006,
  DaprMetadata1763000000007,
  Content1763000000008,
  ContentLock1763000000009,
  AccessKeyOrigin1763000000010,
  SeenSignature1763000000011,
  RevisionTransactionIndex1763000000012,
  LeaseFence1763000000013,
  LeaseRisingFence1763000000014,
  ContentLevels1763000000015,
  ContentCosts1763000000016,
  ContentBounds1763000000017,
];
