import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { SnapshotEntity } from './snapshot.entity.js';

/** A key-value as it was when its snapshot was made; written by the statement that made the snapshot and never altered. */
@Entity('snapshot_item')
export class SnapshotItemEntity {
  @PrimaryColumn({ type: 'bigint', name: 'snapshot_id', primaryKeyConstraintName: 'snapshot_item_pkey' })
  snapshotId!: string;

  @ManyToOne(() => SnapshotEntity)
  @JoinColumn({ name: 'snapshot_id', foreignKeyConstraintName: 'snapshot_item_snapshot' })
  snapshot!: SnapshotEntity;

  /** From 1, without gaps, in the order key, then label: a page begins behind a position. */
  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'snapshot_item_pkey' })
  position!: number;

  @Column({ type: 'text', collation: 'C' })
  key!: string;

  @Column({ type: 'text', collation: 'C' })
  label!: string;

  @Column({ type: 'text', nullable: true })
  value!: string | null;

  @Column({ type: 'text', name: 'content_type', nullable: true })
  contentType!: string | null;

  @Column('text')
  tags!: string;

  @Column({ type: 'text', nullable: true })
  description!: string | null;

  @Column('boolean')
  locked!: boolean;

  @Column('text')
  etag!: string;

  @Column('bigint')
  revision!: string;

  @Column({ type: 'timestamptz', name: 'last_modified' })
  lastModified!: Date;
}
