import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Unique } from 'typeorm';
import { ROOT_UID } from './content-object.js';

/** One object of the content tree; its children name it as their parent. */
@Entity('content_object')
@Unique('content_object_sibling', ['parentUid', 'id'])
@Index('content_object_order', ['parentUid', 'position', 'uid'])
@Check('content_object_root', `(parent_uid IS NULL) = (uid = '${ROOT_UID}')`)
export class ContentObjectEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'content_object_pkey' })
  uid!: string;

  @ManyToOne(() => ContentObjectEntity, { nullable: true })
  @JoinColumn({ name: 'parent_uid', foreignKeyConstraintName: 'content_object_parent' })
  parent!: ContentObjectEntity | null;

  /** Null for the site root only. */
  @Column({ type: 'text', name: 'parent_uid', collation: 'C', nullable: true })
  parentUid!: string | null;

  @Column({ type: 'text', collation: 'C' })
  id!: string;

  @Column('text')
  type!: string;

  /** As `toStoredText` writes it; so is the description. */
  @Column('text')
  title!: string;

  @Column('text')
  description!: string;

  /** JSON object of all other fields. Its texts are as `toStoredText` writes them, so that PostgreSQL can take it apart. */
  @Column('text')
  fields!: string;

  /** Whether the navigation leaves it out, by its fields; a trigger keeps it. */
  @Column({ type: 'boolean', default: false })
  hidden!: boolean;

  /** Order among siblings; not dense. */
  @Column('bigint')
  position!: string;

  @Column('bigint')
  version!: string;

  @Column('timestamptz')
  created!: Date;

  @Column('timestamptz')
  modified!: Date;

  @Column({ type: 'text', name: 'created_by' })
  createdBy!: string;

  @Column({ type: 'text', name: 'last_by' })
  lastBy!: string;

  /** Of the last change. */
  @Column({ type: 'timestamptz', name: 'last_at' })
  lastAt!: Date;

  /** Of the last change by anybody but `lastBy`; null when there was none. */
  @Column({ type: 'timestamptz', name: 'other_at', nullable: true })
  otherAt!: Date | null;
}
