import { type StringFilter } from '../key-value/rules/string-filter.js';
import { type TagCondition } from '../key-value/rules/tag-filter.js';

/** States that are stored. `provisioning` is only ever said, in the answer to a creation. */
export const SNAPSHOT_STATUSES = ['ready', 'archived', 'failed'] as const;
export type SnapshotStatus = (typeof SNAPSHOT_STATUSES)[number];

/** Whether an item is one for each key, or one for each key and label. */
export type CompositionType = 'key' | 'key_label';

/** A filter as clients word it; kept to be shown again. */
export interface SnapshotFilterText {
  readonly key: string;
  readonly label: string | null;
  /** `name=value`, escaped. */
  readonly tags: readonly string[];
}

/** A filter as it selects key-values. */
export interface SnapshotFilter {
  readonly key: StringFilter;
  readonly label: StringFilter;
  readonly tags: readonly TagCondition[];
}

/** What a creation asks for, validated. */
export interface SnapshotInput {
  readonly filters: readonly SnapshotFilter[];
  readonly filterTexts: readonly SnapshotFilterText[];
  readonly compositionType: CompositionType;
  readonly retentionInSeconds: number;
  /** JSON object text of tag name to text or null. */
  readonly tags: string;
  readonly description: string | null;
}

/** One snapshot as the domain knows it. */
export interface Snapshot {
  readonly name: string;
  /** Entity tag without quotes. */
  readonly etag: string;
  readonly status: SnapshotStatus;
  readonly filters: readonly SnapshotFilterText[];
  readonly compositionType: CompositionType;
  /** Whole seconds since 1970 by the database's clock. */
  readonly createdAt: number;
  /** ISO 8601 with a fraction; null unless archived. */
  readonly expires: string | null;
  readonly sizeInBytes: number;
  readonly itemsCount: number;
  readonly tags: string;
  readonly retentionInSeconds: number;
  readonly description: string | null;
}

/** Which snapshots a list shows. */
export interface SnapshotListFilter {
  readonly name: StringFilter;
  readonly statuses: readonly SnapshotStatus[];
}
