import { createHash } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database, type Statement } from '../database/database.js';
import { type Purged, RetentionService } from '../retention/retention.service.js';

/** Rows that one statement removes. */
const BATCH_SIZE = 1000;

/** $1 digest. One row when nobody used it before, in whichever process. */
const USE: Statement = {
  name: 'seen_signature_use',
  isWrite: true,
  text: 'INSERT INTO seen_signature (digest) VALUES ($1) ON CONFLICT ON CONSTRAINT seen_signature_pkey DO NOTHING RETURNING true',
};

/**
 * $1 rows at most. A signature is taken from 15 minutes before its date to 15 minutes behind it, so half an hour after its first use it
 * is worth nothing; the rest is for clocks.
 */
const PURGE: Statement = {
  name: 'seen_signature_purge',
  isWrite: true,
  text: `
    WITH gone AS (
      DELETE FROM seen_signature WHERE digest IN (
        SELECT digest FROM seen_signature WHERE seen_at < (SELECT clock_timestamp() - interval '1 hour')
         ORDER BY seen_at LIMIT $1::int FOR UPDATE SKIP LOCKED)
      RETURNING 1
    )
    SELECT count(*) FROM gone`,
};

/** Which signatures were used, over all processes (`STRICT_REPLAY`). */
@Injectable()
export class SeenSignatures implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly retention: RetentionService,
  ) {}

  /** Also without the setting: what is left of a time with it goes away. */
  onModuleInit(): void {
    this.retention.add(() => this.purge());
  }

  /** Whether this is the first use. @param signature base64, verified, hence with one spelling only */
  async use(signature: string): Promise<boolean> {
    const digest = createHash('sha256').update(signature).digest();
    return (await this.database.query(USE, [digest])).length === 1;
  }

  private async *purge(): AsyncGenerator<Purged> {
    for (let removed = 1; removed > 0;) {
      const [row] = await this.database.query(PURGE, [BATCH_SIZE]);
      removed = Number(row![0]);
      yield { seenSignatures: removed };
    }
  }
}
