import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { type MetricsReport } from './metrics-messages.js';

/** Milliseconds for workers to report: a reading may take one second (`ReadGauge`). */
const MAX_WAIT_MS = 2000;
/** What only grows, and must not fall because a process ended. */
const GROWING: ReadonlySet<string> = new Set(['counter', 'histogram']);

/**
 * One text for all processes of a service, its own included. Counters and histograms are sums and go on after a worker ended, as last
 * reported; gauges are of the workers that answer, added up or whatever else their `aggregator` says.
 */
export class ServiceMetrics {
  private readonly own = new Registry();
  private readonly latest = new Map<number, MetricsReport>();
  private readonly ended: MetricsReport[] = [];
  private missing = new Set<number>();
  private finish: () => void = () => undefined;
  private underWay: Promise<string> | undefined;

  /** @param ask has all workers that serve report, and answers their ids */
  constructor(
    private readonly ask: () => readonly number[],
    private readonly maxWaitMs = MAX_WAIT_MS,
  ) {
    collectDefaultMetrics({ register: this.own });
    combineDefaults(this.own);
  }

  /** Those who ask at once share an answer. */
  read(): Promise<string> {
    return (this.underWay ??= this.collect().finally(() => (this.underWay = undefined)));
  }

  reported(worker: number, report: MetricsReport): void {
    this.latest.set(worker, report);
    this.answered(worker);
  }

  /** The worker is no more; it must not report again. */
  gone(worker: number): void {
    const report = this.latest.get(worker);
    this.latest.delete(worker);
    if (report) this.ended.push(growing(report));
    this.answered(worker);
  }

  private answered(worker: number): void {
    this.missing.delete(worker);
    if (this.missing.size === 0) this.finish();
  }

  private async collect(): Promise<string> {
    this.missing = new Set(this.ask());
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.finish = resolve;
      timer = setTimeout(resolve, this.maxWaitMs);
      if (this.missing.size === 0) resolve();
    });
    clearTimeout(timer);
    // However many workers come and go, one report stands for those that went.
    this.ended.unshift(await AggregatorRegistry.aggregate(this.ended.splice(0)).getMetricsAsJSON());
    const own = await this.own.getMetricsAsJSON();
    const reports = [...this.latest].map(([worker, report]) => (this.missing.has(worker) ? growing(report) : report));
    return AggregatorRegistry.aggregate([own, ...reports, ...this.ended] as object[]).metrics();
  }
}

const growing = (report: MetricsReport): MetricsReport => report.filter(({ type }) => GROWING.has(String(type)));

/** How Node's own gauges are combined where adding them up says nothing: the worst of the processes, and the youngest. */
export function combineDefaults(registry: Registry): void {
  for (const name of [
    'nodejs_eventloop_lag_seconds',
    'nodejs_eventloop_lag_p99_seconds',
    'process_start_time_seconds',
  ]) {
    (registry.getSingleMetric(name) as unknown as { aggregator: string }).aggregator = 'max';
  }
}
