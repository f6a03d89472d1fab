import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * One state that a key-value had, written in the same statement as the change itself and never altered. The table's `xid` column
 * (PostgreSQL's own transaction id, for feeds) has a type that TypeORM does not know and is not mapped.
 */
@Entity('key_value_revision')
@Index('key_value_revision_time', ['lastModified', 'revision'])
export class KeyValueRevisionEntity {
  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'key_value_revision_pkey' })
  revision!: string;

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

  /** True for the tombstone that a delete leaves: it hides the key-value from then on and is never listed. */
  @Column('boolean')
  deleted!: boolean;

  @Column('text')
  etag!: string;

  @Column({ type: 'timestamptz', name: 'last_modified' })
  lastModified!: Date;

  /** Who made the change: the principal's name. */
  @Column('text')
  actor!: string;

  /** Where the request came from. */
  @Column('text')
  address!: string;

  @Column({ type: 'uuid', name: 'request_id' })
  requestId!: string;
}
