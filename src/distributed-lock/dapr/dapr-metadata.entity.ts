import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A label that a client put on what Dapr calls the sidecar. In the database, so that all processes show the same. */
@Entity('dapr_metadata')
export class DaprMetadataEntity {
  /** As `database/stored-text.ts` spells it, which texts with U+0000 need. */
  @PrimaryColumn({ type: 'text', collation: 'C', primaryKeyConstraintName: 'dapr_metadata_pkey' })
  key!: string;

  /** Spelled like the key. */
  @Column({ type: 'text', collation: 'C' })
  value!: string;
}
