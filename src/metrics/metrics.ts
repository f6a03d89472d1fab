import cluster from 'node:cluster';
import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { ReadGauge, type ReadGaugeOptions } from './read-gauge.js';
import { combineDefaults } from './service-metrics.js';
import { WorkerMetrics } from './worker-metrics.js';

/** Seconds; answers that need the database take about a millisecond, and no request may work on it for longer than 8 s. */
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Seconds that a caller stands in line for a lock: from a hand-off between two short holds to a wait of minutes. */
const WAIT_BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** Observes one request of a surface. @param seconds from its arrival to its answer */
export type RequestObserver = (status: number, seconds: number) => void;

/**
 * What an operator can watch, in Prometheus' terms (docs/metrics.md tells what each is for). Each process counts for itself; `read` adds
 * up those of one service. Labels have
 * values that are written in this program and no others: never a key, a label, the name of a lock or of a user, whose number is the
 * callers' to choose. What counts something calls it here; what is read when somebody asks is connected by whoever knows it.
 */
@Injectable()
export class Metrics {
  readonly registry = new Registry();
  private readonly ofAll = cluster.isWorker ? new WorkerMetrics(this.registry) : undefined;

  // Read in the order of their making: what asks the database for its value would show up in these.
  readonly poolConnections = this.gauge('db_pool_connections', 'Connections to the database that this process has.', {
    label: 'state',
  });
  readonly poolWaiting = this.gauge('db_pool_waiting', 'Statements that wait for a connection now.');

  private readonly requestDuration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the arrival of a request to its answer, waiting for a lock included.',
    labelNames: ['surface', 'status'] as const,
    buckets: REQUEST_BUCKETS,
    registers: [this.registry],
  });

  readonly refusedConnections = this.counter(
    'http_refused_connections_total',
    'Connections that were refused, or closed for what was sent, before there was a request.',
    ['reason'],
  );
  /** Calls by their gRPC status code, a number from 0 to 16. */
  readonly grpcCalls = this.counter('grpc_calls_total', 'Calls over gRPC that ended, by status code.', ['code']);

  /** Changes that were made: a put that alters nothing is none. */
  readonly keyValueWrites = this.counter('kv_writes_total', 'Changes made to key-values.', ['operation']);
  readonly notModified = this.counter(
    'kv_not_modified_total',
    'Reads of the configuration API that were answered 304: the client had it already.',
  );

  readonly lockAcquires = this.counter(
    'lock_acquire_total',
    'Requests for a distributed lock that the service decided, by result.',
    ['result'],
  );
  readonly lockWait = new Histogram({
    name: 'lock_wait_seconds',
    help: 'Time that callers stood in line for a distributed lock, whatever came of it.',
    buckets: WAIT_BUCKETS,
    registers: [this.registry],
  });
  readonly locksExpired = this.counter(
    'lock_expired_total',
    'Holds of distributed locks that had run out when the next caller got the lock.',
  );
  readonly locksForced = this.counter('lock_forced_total', 'Locks that were taken from their holders.', ['kind']);
  readonly lateGrants = this.counter(
    'lock_late_grants_total',
    'Grants that reached this process after they had run out, and were not passed on.',
  );
  readonly lostTickets = this.counter(
    'lock_tickets_dropped_total',
    'Places in line that others took away because this process seemed dead; their callers queued again.',
  );
  readonly staleFences = this.counter(
    'stale_fence_writes_total',
    'Writes of key-values refused because their fence was not, or no longer, that of the holder of the lock.',
  );
  readonly lockWaiters = this.gauge('lock_waiters', 'Callers of this process that stand in line for a lock now.');
  readonly locksHeld = this.gauge(
    'locks_held',
    'Distributed locks held now, in the whole database; beyond 10,000 known locks an estimate.',
    { aggregator: 'max' },
  );
  readonly contentLocksHeld = this.gauge(
    'content_locks_held',
    'Content locks in force now, in the whole database; no more than 10,000 are counted.',
    { aggregator: 'max' },
  );

  readonly throttled = this.counter('throttled_total', 'Requests refused because there were too many, by reason.', [
    'reason',
  ]);
  readonly authFailures = this.counter('auth_failures_total', 'Requests and calls that came with wrong credentials.');
  readonly droppedRefusals = this.counter(
    'audit_refusals_dropped_total',
    'Refusals that the audit log only counted: beyond its limit, or while the database was away.',
  );

  readonly databaseErrors = this.counter(
    'database_errors_total',
    'Attempts at a statement that failed, by reason; some were repeated with success.',
    ['reason'],
  );
  readonly unavailable = this.counter(
    'database_unavailable_total',
    'Statements given up as not executed, for which callers get 503.',
  );
  readonly outcomeUnknown = this.counter(
    'outcome_unknown_total',
    'Changes of which nobody can say whether they were made, because the database did not answer.',
  );
  readonly statementDuration = new Histogram({
    name: 'db_statement_duration_seconds',
    help: 'Time of one attempt at a statement, the wait for a connection included.',
    buckets: REQUEST_BUCKETS,
    registers: [this.registry],
  });
  readonly clockSkew = this.gauge(
    'clock_skew_seconds',
    'Clock of this host minus that of the database. Nothing depends on it.',
    { aggregator: 'average' },
  );

  /** Rows that the retention purge removed, by what they were. */
  readonly purgedRows = this.counter('purged_rows_total', 'Rows removed because they were past their retention time.', [
    'what',
  ]);
  readonly purgeFailures = this.counter('purge_failures_total', 'Retention purges that ended with an error.');

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    combineDefaults(this.registry);
  }

  /** The text for Prometheus: of this process, or with `WORKERS` of all processes of the service. */
  read(): Promise<string> {
    return this.ofAll?.read() ?? this.registry.metrics();
  }

  /** What observes the requests of one surface, to be made once: the children of the histogram are looked up here and not per request. */
  requestObserver(surface: string): RequestObserver {
    const children = STATUS_CLASSES.map((status) => this.requestDuration.labels({ surface, status }));
    return (status, seconds) => {
      children[Math.floor(status / 100) - 1]?.observe(seconds);
      if (status === 304 && surface === 'azure') this.notModified.inc();
    };
  }

  private counter<Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  private gauge(name: string, help: string, options: ReadGaugeOptions = {}): ReadGauge {
    return new ReadGauge(name, help, options, this.registry);
  }
}
