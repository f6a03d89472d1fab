import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An access key that the service keeps itself. */
@Entity('access_key')
export class AccessKeyEntity {
  /** What clients send as `Credential`. */
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'access_key_pkey' })
  id!: string;

  /** The secret as `secret-box.ts` seals it under `MASTER_KEY`, bound to the id. */
  @Column({ type: 'text', name: 'sealed_secret' })
  sealedSecret!: string;

  @Column({ type: 'boolean', name: 'read_only' })
  readOnly!: boolean;

  /** A development key of the service's own; false for one that an operator made with `npm run keys`. */
  @Column({ type: 'boolean', default: true })
  generated!: boolean;

  @Column({ type: 'timestamptz', name: 'created_at', default: () => 'clock_timestamp()' })
  createdAt!: Date;
}
