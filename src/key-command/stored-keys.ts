import { randomUUID } from 'node:crypto';
import { type QueryRunner } from 'typeorm';
import { CommandError } from '../command/command-error.js';
import { isConnectionLost } from '../database/database-errors.js';
import { auditColumns } from '../events/audit-event.js';
import { noteEvent } from '../events/audit.sql.js';

/** An access key in the database, without its secret. */
export interface StoredKey {
  readonly id: string;
  readonly readOnly: boolean;
  /** Whether it is a service's own development key. */
  readonly generated: boolean;
  /** ISO 8601 in UTC. */
  readonly createdAt: string;
}

const CREATE = `
  WITH added AS (
    INSERT INTO access_key (id, sealed_secret, read_only, generated) VALUES ($1, $2, $3, false) ON CONFLICT DO NOTHING RETURNING id
  ), noted AS (
    ${noteEvent(4, 'added')}
  )
  SELECT id FROM added`;

const REVOKE = `
  WITH gone AS (
    DELETE FROM access_key WHERE id = $1 AND NOT generated RETURNING id
  ), noted AS (
    ${noteEvent(2, 'gone')}
  )
  SELECT id FROM gone`;

const LIST = `
  SELECT id, read_only AS "readOnly", generated,
         to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "createdAt"
    FROM access_key ORDER BY id`;

/** The access keys of the database; each change writes its row of the audit log with it. */
export class StoredKeys {
  /** @param actor whom the audit log names */
  constructor(
    private readonly runner: QueryRunner,
    private readonly actor: string,
  ) {}

  list(): Promise<StoredKey[]> {
    return this.runner.query(LIST) as Promise<StoredKey[]>;
  }

  /** @returns false when there is a key with this id */
  async create(id: string, sealedSecret: string, readOnly: boolean): Promise<boolean> {
    return this.change(CREATE, [id, sealedSecret, readOnly], 'key-created', id, { readOnly });
  }

  /** @returns false when nobody made such a key */
  async revoke(id: string): Promise<boolean> {
    return this.change(REVOKE, [id], 'key-revoked', id, null);
  }

  private async change(
    statement: string,
    values: readonly unknown[],
    action: string,
    target: string,
    details: Record<string, unknown> | null,
  ): Promise<boolean> {
    const event = { actor: this.actor, address: '', requestId: randomUUID(), surface: 'config', action, target };
    const columns = auditColumns({ ...event, outcome: 'done', details });
    let isCommitting = false;
    try {
      // Of a statement that commits by itself nobody could tell whether a broken connection undid it.
      await this.runner.startTransaction();
      const rows = (await this.runner.query(statement, [...values, ...columns])) as unknown[];
      isCommitting = true;
      await this.runner.commitTransaction();
      return rows.length > 0;
    } catch (error) {
      if (!isCommitting || !isConnectionLost(error)) throw error;
      const message = 'the connection broke while the database committed: list the keys to see what became of it';
      throw new CommandError('unknown', message, { cause: error });
    }
  }
}
