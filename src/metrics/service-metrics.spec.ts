import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { samplesOf } from '../../test/metrics/samples';
import { type MetricsReport } from './metrics-messages';
import { ServiceMetrics } from './service-metrics';

/** A process with three metrics of its own. */
async function reportOf(writes: number, waiting: number, held: number): Promise<MetricsReport> {
  const registry = new Registry();
  const registers = [registry];
  const times = new Histogram({ name: 'seconds', help: '-', buckets: [1, 2], registers });
  new Counter({ name: 'writes', help: '-', labelNames: ['what'], registers }).inc({ what: 'put' }, writes);
  new Gauge({ name: 'waiting', help: '-', registers }).set(waiting);
  new Gauge({ name: 'held', help: '-', registers, aggregator: 'max' }).set(held);
  times.observe(writes);
  return registry.getMetricsAsJSON();
}

const read = async (metrics: ServiceMetrics): Promise<(number | undefined)[]> => {
  const samples = samplesOf(await metrics.read());
  return ['writes{what="put"}', 'seconds_bucket{le="2"}', 'seconds_count', 'waiting', 'held'].map((name) =>
    samples.get(name),
  );
};

describe('the metrics of all workers', () => {
  const silent = new Set<number>();
  const workers = new Map<number, MetricsReport>();
  const metrics: ServiceMetrics = new ServiceMetrics(() => {
    for (const [id, report] of workers) {
      if (!silent.has(id)) setImmediate(() => metrics.reported(id, report));
    }
    return [...workers.keys()];
  }, 50);
  // However long this process is held up, who answers is in time.
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'performance', 'hrtime', 'Date'] }));
  afterEach(() => jest.useRealTimers());

  it('are sums, and where that says nothing the highest', async () => {
    workers.set(1, await reportOf(1, 5, 7));
    workers.set(2, await reportOf(2, 6, 8));
    expect(await read(metrics)).toEqual([3, 2, 2, 11, 8]);
    expect(await read(metrics)).toEqual([3, 2, 2, 11, 8]);
  });

  it('have those of the primary among them', async () => {
    const samples = samplesOf(await metrics.read());
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(0);
    const started = samples.get('process_start_time_seconds')!;
    expect(Math.abs(started - Date.now() / 1000 + process.uptime())).toBeLessThan(60);
  });

  it('keep what a worker counted that does not answer, and no gauges of it', async () => {
    silent.add(2);
    const reading = read(metrics);
    // The first one answers before this.
    await new Promise((resolve) => setImmediate(resolve));
    jest.advanceTimersByTime(50);
    expect(await reading).toEqual([3, 2, 2, 5, 7]);
    silent.clear();
    expect(await read(metrics)).toEqual([3, 2, 2, 11, 8]);
  });

  it('never fall because workers end', async () => {
    workers.delete(1);
    metrics.gone(1);
    expect(await read(metrics)).toEqual([3, 2, 2, 6, 8]);
    workers.delete(2);
    metrics.gone(2);
    workers.set(3, await reportOf(10, 1, 1));
    expect(await read(metrics)).toEqual([13, 2, 3, 1, 1]);
    expect(await read(metrics)).toEqual([13, 2, 3, 1, 1]);
  });

  it('do not wait for one that ends instead of answering', async () => {
    const patient: ServiceMetrics = new ServiceMetrics(() => {
      setImmediate(() => patient.gone(9));
      return [9];
    }, 2 ** 30);
    expect(await patient.read()).toContain('process_cpu_seconds_total');
  });
});
