import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** One stored key, from the first time that anybody asked for it until a day of rest. The row outlives releases: so does the order of fences. */
@Entity('lease')
export class LeaseEntity {
  /** SHA-256 of the stored key: an index cannot take keys of any length. */
  @PrimaryColumn({ type: 'bytea', name: 'key_digest', primaryKeyConstraintName: 'lease_pkey' })
  keyDigest!: Buffer;

  @Column({ type: 'bytea', name: 'stored_key' })
  storedKey!: Buffer;

  /** Null = released. An expired lease keeps its owner, so only together with `expires_at` does it tell who holds the key. */
  @Column({ type: 'bytea', nullable: true })
  owner!: Buffer | null;

  /** The last one granted; a decimal string, for it exceeds 2^53. */
  @Column({ type: 'bigint', nullable: true })
  fence!: string | null;

  @Column({ type: 'timestamptz', name: 'granted_at', nullable: true })
  grantedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @Column({ type: 'bigint', name: 'ttl_ms', nullable: true })
  ttlMs!: string | null;

  @Column({ type: 'integer', default: 0 })
  renewals!: number;

  @Column({ type: 'text', nullable: true })
  metadata!: string | null;

  @Column({ type: 'text', name: 'idempotency_key', nullable: true })
  idempotencyKey!: string | null;

  /** Ticket that the present grant was given to; null when it was taken without waiting. */
  @Column({ type: 'bigint', nullable: true })
  ticket!: string | null;

  /** Tickets of this key, counted under the row's lock: a try must not overtake them. */
  @Column({ type: 'integer', default: 0 })
  waiters!: number;

  /** Who changed the row last; while it is held, who took it. */
  @Column({ type: 'text', nullable: true })
  actor!: string | null;

  @Column({ type: 'uuid', name: 'request_id', nullable: true })
  requestId!: string | null;

  /** Last change of any kind; a row is forgotten a day after it. */
  @Column({ type: 'timestamptz', name: 'touched_at', default: () => 'clock_timestamp()' })
  touchedAt!: Date;
}

/** A place in the line for a stored key; the lowest number is next. */
@Entity('lease_ticket')
export class LeaseTicketEntity {
  @PrimaryColumn({ type: 'bytea', name: 'key_digest', primaryKeyConstraintName: 'lease_ticket_pkey' })
  keyDigest!: Buffer;

  /** Drawn under the lock of the lease's row, so numbers are in the order of arrival. */
  @PrimaryColumn({ type: 'bigint', primaryKeyConstraintName: 'lease_ticket_pkey' })
  id!: string;

  /** The process that the waiting client is connected to. */
  @Column('uuid')
  replica!: string;

  @Column('bytea')
  owner!: Buffer;

  @Column({ type: 'bigint', name: 'ttl_ms' })
  ttlMs!: string;

  @Column({ type: 'text', nullable: true })
  metadata!: string | null;

  @Column({ type: 'text', name: 'idempotency_key', nullable: true })
  idempotencyKey!: string | null;

  @Column('text')
  actor!: string;

  @Column({ type: 'uuid', name: 'request_id' })
  requestId!: string;
}

/** A process with waiting clients. Its tickets count for as long as it says that it lives. */
@Entity('lease_replica')
export class LeaseReplicaEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'lease_replica_pkey' })
  id!: string;

  @Column({ type: 'timestamptz', name: 'alive_until' })
  aliveUntil!: Date;
}

/** One row: the highest fence of any row that was purged. */
@Entity('lease_floor')
@Check('lease_floor_id_check', 'id = 1')
export class LeaseFloorEntity {
  @PrimaryColumn({ type: 'smallint', default: 1, primaryKeyConstraintName: 'lease_floor_pkey' })
  id!: number;

  @Column({ type: 'bigint', default: 0 })
  fence!: string;
}
