import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { ContentObjectEntity } from '../content/content-object.entity.js';

/** The lock of an object, by its UID: it goes with the object wherever that is moved, and ends with it. */
@Entity('content_lock')
@Index('content_lock_expiry', ['expiresAt'])
export class ContentLockEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'content_lock_pkey' })
  uid!: string;

  @ManyToOne(() => ContentObjectEntity, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'uid', foreignKeyConstraintName: 'content_lock_object' })
  object!: ContentObjectEntity;

  /** Id of a user, who may have been deleted since. */
  @Column('text')
  holder!: string;

  @Column('uuid')
  token!: string;

  /** Of the token; refreshing the lock does not change it. */
  @Column({ type: 'timestamptz', name: 'issued_at' })
  issuedAt!: Date;

  /** Of the last refresh. */
  @Column('timestamptz')
  created!: Date;

  /** From then on there is no lock, whether the row is still there or not. */
  @Column({ type: 'timestamptz', name: 'expires_at' })
  expiresAt!: Date;

  @Column({ type: 'integer', name: 'timeout_s' })
  timeoutS!: number;

  @Column('boolean')
  stealable!: boolean;
}

/** Token of a lock that ended: who still writes with it may not know what happened since. Kept for a day. */
@Entity('content_lock_token')
@Index('content_lock_token_ended', ['endedAt'])
export class ContentLockTokenEntity {
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'content_lock_token_pkey' })
  uid!: string;

  @ManyToOne(() => ContentObjectEntity, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'uid', foreignKeyConstraintName: 'content_lock_token_object' })
  object!: ContentObjectEntity;

  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'content_lock_token_pkey' })
  token!: string;

  @Column({ type: 'timestamptz', name: 'issued_at' })
  issuedAt!: Date;

  @Column({ type: 'timestamptz', name: 'ended_at' })
  endedAt!: Date;
}
