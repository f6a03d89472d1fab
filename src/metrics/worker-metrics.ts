import { type Registry } from 'prom-client';
import { unavailable } from '../problem/catalogue.js';
import { type MetricsMessageOfPrimary, type MetricsMessageOfWorker } from './metrics-messages.js';

/** Milliseconds for the primary to answer: longer than it waits for the workers. */
const MAX_WAIT_MS = 4000;

const tell = (message: MetricsMessageOfWorker): void =>
  void process.send?.(message, undefined, undefined, () => undefined);

/** The end of a worker: tells the primary its own metrics when asked, and asks it for those of all. */
export class WorkerMetrics {
  private waiting: ((text: string) => void)[] = [];

  constructor(registry: Registry) {
    process.on('message', (message: MetricsMessageOfPrimary) => {
      if (message.kind === 'report-metrics') {
        void registry.getMetricsAsJSON().then((report) => tell({ kind: 'metrics-report', report }));
      } else if (message.kind === 'metrics') {
        for (const answer of this.waiting.splice(0)) answer(message.text);
      }
    });
  }

  /** @throws 503 when the primary does not answer: this process's own counters alone would look like a restart */
  read(): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(unavailable()), MAX_WAIT_MS);
      this.waiting.push((text) => {
        clearTimeout(timer);
        resolve(text);
      });
      tell({ kind: 'read-metrics' });
    });
  }
}
