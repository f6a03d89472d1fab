import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The signature of a write that was used. */
@Entity('seen_signature')
export class SeenSignatureEntity {
  /** SHA-256 of the signature's base64 text. */
  @PrimaryColumn({ type: 'bytea', primaryKeyConstraintName: 'seen_signature_pkey' })
  digest!: Buffer;

  @Column({ type: 'timestamptz', name: 'seen_at', default: () => 'clock_timestamp()' })
  @Index('seen_signature_time')
  seenAt!: Date;
}
