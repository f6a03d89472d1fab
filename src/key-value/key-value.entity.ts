import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Current state of one key-value: what is identified by key and label together. */
@Entity('key_value')
@Index('key_value_label_key', ['label', 'key'])
@Index('key_value_tombstone', ['key', 'label'], { where: 'deleted' })
export class KeyValueEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'key_value_pkey' })
  key!: string;

  /** '' for no label, which clients can never store as a label of its own. */
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'key_value_pkey' })
  label!: string;

  /** As `toStoredText` writes it; null when the client sent none. */
  @Column({ type: 'text', nullable: true })
  value!: string | null;

  @Column({ type: 'text', name: 'content_type', nullable: true })
  contentType!: string | null;

  /** JSON object of tag name to text or null, in the client's order. */
  @Column('text')
  tags!: string;

  @Column({ type: 'text', nullable: true })
  description!: string | null;

  @Column({ type: 'boolean', default: false })
  locked!: boolean;

  /** A tombstone: the row stays so that making the key-value again continues its history. */
  @Column({ type: 'boolean', default: false })
  deleted!: boolean;

  /** 43 characters, new with every change. */
  @Column('text')
  etag!: string;

  /** Position of the last change in the store's order; a decimal string, for it exceeds 2^53. */
  @Column('bigint')
  revision!: string;

  @Column({ type: 'timestamptz', name: 'last_modified' })
  lastModified!: Date;
}
