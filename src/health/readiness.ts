import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database/database.js';
import { migrations } from '../database/migrations/index.js';

const CHECK: Statement = {
  name: 'readiness',
  isWrite: false,
  text: `
    SELECT current_setting('transaction_read_only') = 'off' AND NOT pg_is_in_recovery(),
           (SELECT name FROM migration ORDER BY id DESC LIMIT 1)`,
};

/** Why the service should get no requests; null = it is ready. */
export type NotReady = 'draining' | 'database-unreachable' | 'database-read-only' | 'schema-not-at-head' | null;

/** Whether this process can do its work: not on its way out, database writable, schema as this build knows it. */
@Injectable()
export class Readiness {
  private isDraining = false;

  constructor(private readonly database: Database) {}

  /** From now on the answer is no. */
  drain(): void {
    this.isDraining = true;
  }

  async check(): Promise<NotReady> {
    if (this.isDraining) return 'draining';
    try {
      const [row] = await this.database.query(CHECK, []);
      if (row![0] !== true) {
        this.database.dropConnections();
        return 'database-read-only';
      }
      return row![1] === migrations.at(-1)!.name ? null : 'schema-not-at-head';
    } catch {
      return 'database-unreachable';
    }
  }
}
