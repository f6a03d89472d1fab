import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/** One row of the audit log. Texts are as `audit-event.ts` makes them fit to be stored: of bounded length, U+0000 escaped. */
@Entity('audit_event')
@Index('audit_event_time', ['at', 'id'])
export class AuditEventEntity {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'audit_event_pkey',
  })
  id!: string;

  /** When it happened, by the database's clock. */
  @Column({ type: 'timestamptz', default: () => 'clock_timestamp()' })
  at!: Date;

  @Column('text')
  actor!: string;

  @Column('text')
  address!: string;

  /** Null for what the service noted of its own accord. */
  @Column({ type: 'uuid', name: 'request_id', nullable: true })
  requestId!: string | null;

  @Column('text')
  surface!: string;

  @Column('text')
  action!: string;

  @Column('text')
  target!: string;

  @Column('text')
  outcome!: string;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;

  /** JSON text of an object. */
  @Column({ type: 'text', nullable: true })
  details!: string | null;
}
