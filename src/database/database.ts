import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { type Client, type ClientConfig, type Pool, type PoolClient, type QueryArrayResult } from 'pg';
import { type DataSource } from 'typeorm';
import { Settings } from '../config/settings.js';
import { Metrics } from '../metrics/metrics.js';
import { OVERLOADED, outcomeUnknown, unavailable } from '../problem/catalogue.js';
import { Problem } from '../problem/problem.js';
import { ConnectionLine } from './connection-line.js';
import {
  failureOf,
  isConnectionLost,
  isReadOnly,
  isRefusalOfContent,
  isRetryable,
  toDatabaseProblem,
} from './database-errors.js';
import { takeUnconfirmed } from './service-client.js';

/** One named SQL statement; the name identifies the prepared plan on each connection, so one name never has two texts. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** Whether it changes anything: decides what a broken connection means for the caller. */
  readonly isWrite: boolean;
}

/** A row as the driver delivers it in array mode: cheaper than objects, in the order of the statement's own column list. */
export type Row = readonly unknown[];

/** Database work of one request in milliseconds; past it the connection is destroyed, for a timed-out one stays stuck. */
const DEADLINE_MS = 8000;
const MAX_ATTEMPTS = 4;
const UNCONFIRMED = 'the wait for the synchronous standby was cancelled after the commit at this server';

/**
 * Runs the hot statements: one round trip each, prepared by name, on TypeORM's own pool. TypeORM's query method is passed by only
 * because it cannot name a statement, which would cost a parse and a plan per request.
 */
@Injectable()
export class Database {
  private readonly pool: Pool;
  private readonly line: ConnectionLine;
  private readonly connections = new Set<PoolClient>();
  private readonly outdated = new WeakSet<PoolClient>();

  constructor(
    @InjectDataSource() dataSource: DataSource,
    @Inject(Settings) private readonly settings: Settings,
    private readonly metrics: Metrics,
  ) {
    this.pool = (dataSource.driver as unknown as { master: Pool }).master;
    this.line = new ConnectionLine(this.pool, (client) => this.outdated.has(client));
    // TypeORM has opened the first connection already, so they are counted when they are used, not when they are made.
    this.pool.on('acquire', (client) => this.connections.add(client));
    this.pool.on('remove', (client) => this.connections.delete(client));
    this.pool.on('error', () => metrics.databaseErrors.inc({ reason: 'idle-connection-lost' }));
    metrics.poolConnections.readFrom(() => {
      const { totalCount, idleCount } = this.pool;
      return { busy: totalCount - idleCount, idle: idleCount };
    });
    metrics.poolWaiting.readFrom(() => this.line.length);
  }

  /** Whether so many requests wait for a connection, or for so long, that a further one had better not be begun. */
  get isCrowded(): boolean {
    return this.line.isCrowded;
  }

  /** Counts a request that is refused because of that. @returns what to refuse it with */
  refuseCrowd(): Problem {
    this.metrics.throttled.inc({ reason: 'database-queue' });
    return OVERLOADED;
  }

  /**
   * Lets no present connection serve another request: those to a server that became read-only stay so after it, or its successor,
   * takes writes again (reliability §4.6).
   */
  dropConnections(): void {
    for (const client of this.connections) this.outdated.add(client);
  }

  /** The moment, by `performance.now()`, at which the database work of a request that comes now has to be over. */
  newDeadline(): number {
    return performance.now() + DEADLINE_MS;
  }

  /**
   * Runs one statement as its own transaction; throws a problem when the database is away, busy or gone half-way.
   *
   * @param deadline of a request that has waited already
   */
  async query(statement: Statement, values: readonly unknown[], deadline = this.newDeadline()): Promise<Row[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(statement, values, deadline);
      } catch (error) {
        const mayRepeat = isRetryable(error) || (isConnectionLost(error) && !statement.isWrite && attempt === 1);
        if (!mayRepeat || attempt >= MAX_ATTEMPTS || performance.now() > deadline) {
          throw this.counted(toDatabaseProblem(error, statement.isWrite, true));
        }
        await jitter(attempt);
      }
    }
  }

  /**
   * Runs, once, a statement that stands for several requests.
   *
   * @param requests how many
   * @returns null when the server refused it, and so changed nothing, for a cause that may lie with one of the requests
   */
  async queryTogether(statement: Statement, values: readonly unknown[], requests: number): Promise<Row[] | null> {
    try {
      return await this.attempt(statement, values, this.newDeadline());
    } catch (error) {
      if (isRefusalOfContent(error)) return null;
      throw this.counted(toDatabaseProblem(error, statement.isWrite, true), requests);
    }
  }

  /** Throws a problem when the statement was not sent or its deadline passed, and otherwise what the driver says of one that was. */
  private async attempt(statement: Statement, values: readonly unknown[], deadline: number): Promise<Row[]> {
    let wasSent = false;
    const startedAt = performance.now();
    try {
      const client = await this.acquire();
      wasSent = true;
      return await this.run(client, statement, values, deadline - performance.now());
    } catch (error) {
      this.metrics.databaseErrors.inc({ reason: wasSent ? failureOf(error) : 'no-connection' });
      throw error;
    } finally {
      this.metrics.statementDuration.observe((performance.now() - startedAt) / 1000);
    }
  }

  /** A connection beside the pool, for what lasts longer than a request, such as LISTEN. The caller ends it. */
  async connectAside(): Promise<Client> {
    const { Client: ClientClass, options } = this.pool as unknown as { Client: typeof Client; options: ClientConfig };
    const client = new ClientClass(options);
    await client.connect();
    return client;
  }

  private counted(problem: unknown, requests = 1): unknown {
    if (problem instanceof Problem && problem.kind === 'outcome-unknown') this.metrics.outcomeUnknown.inc(requests);
    else if (problem instanceof Problem && problem.status === 503) this.metrics.unavailable.inc();
    return problem;
  }

  private acquire(): Promise<PoolClient> {
    return this.line.isFull ? Promise.reject(this.refuseCrowd()) : this.line.connect();
  }

  private run(
    client: PoolClient,
    statement: Statement,
    values: readonly unknown[],
    remainingMs: number,
  ): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const finish = (error: Error | null, rows: Row[]): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        if (!error) {
          client.release();
          return resolve(rows);
        }
        if (isReadOnly(error)) this.dropConnections();
        // A connection whose statement was cut off is never reused: it may still be waiting for that statement.
        client.release(isRetryable(error) ? undefined : error);
        reject(error);
      };
      const timer = setTimeout(() => {
        const cause = new Error(`statement ${statement.name} passed the deadline of ${DEADLINE_MS} ms`);
        finish(statement.isWrite ? outcomeUnknown(cause) : unavailable(500, { cause }), []);
      }, remainingMs);
      client.query<unknown[]>(
        {
          name: this.settings.dbPooler ? undefined : statement.name,
          text: statement.text,
          values: values as unknown[],
          rowMode: 'array',
        },
        (error: Error | null, result: QueryArrayResult | undefined) => {
          const isUnconfirmed = takeUnconfirmed(client) && statement.isWrite && !error;
          finish(isUnconfirmed ? outcomeUnknown(new Error(UNCONFIRMED)) : error, result?.rows ?? []);
        },
      );
    });
  }
}

/** A short random pause, longer with each attempt, so that statements that met in a deadlock do not meet again. */
function jitter(attempt: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt));
}
