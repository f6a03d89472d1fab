import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/** One snapshot. Its items are in `snapshot_item`. */
@Entity('snapshot')
@Unique('snapshot_name', ['name'])
@Check('snapshot_status', `status IN ('ready', 'archived', 'failed')`)
@Check('snapshot_expiry', `(status = 'archived') = (expires IS NOT NULL)`)
@Index('snapshot_expires', ['expires'], { where: 'expires IS NOT NULL' })
export class SnapshotEntity {
  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'snapshot_pkey' })
  id!: string;

  @Column({ type: 'text', collation: 'C' })
  name!: string;

  /** 43 characters, new with every change. */
  @Column('text')
  etag!: string;

  @Column('text')
  status!: string;

  /** JSON array of `{key, label, tags}`, as the contract words filters. */
  @Column('text')
  filters!: string;

  @Column({ type: 'text', name: 'composition_type' })
  compositionType!: string;

  /** Seconds from being archived to being gone. */
  @Column({ type: 'integer', name: 'retention_period' })
  retentionPeriod!: number;

  /** JSON object of tag name to text or null, in the client's order. */
  @Column('text')
  tags!: string;

  /** As `toStoredText` writes it. */
  @Column({ type: 'text', nullable: true })
  description!: string | null;

  /** Bytes of all items; 0 when it failed. */
  @Column('integer')
  size!: number;

  @Column({ type: 'integer', name: 'items_count' })
  itemsCount!: number;

  @Column('timestamptz')
  created!: Date;

  /** From then on there is no such snapshot; only archived ones have it. */
  @Column({ type: 'timestamptz', nullable: true })
  expires!: Date | null;

  /** Who made the last change: the principal's name. */
  @Column('text')
  actor!: string;

  /** Where that request came from. */
  @Column('text')
  address!: string;

  @Column({ type: 'uuid', name: 'request_id' })
  requestId!: string;
}
