import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Registry } from 'prom-client';

/**
 * What an operator can watch, in Prometheus' terms. Each process counts for itself. Labels never hold a key, a label or a lock's name:
 * their number is the callers' to choose.
 */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  /** Rows that the retention purge removed, by what they were. */
  readonly purgedRows = new Counter({
    name: 'purged_rows_total',
    help: 'Rows removed because they were past their retention time.',
    labelNames: ['what'] as const,
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}
