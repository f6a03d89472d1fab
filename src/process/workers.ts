import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type Logger } from 'pino';
import { type Credentials } from '../config/credentials.js';
import { type DatabaseAddress } from '../database/connection.js';
import { type LockStore } from '../lease/lock-stores.js';
import { type Settings } from '../config/settings.js';
import { type MetricsMessageOfPrimary, type MetricsMessageOfWorker } from '../metrics/metrics-messages.js';
import { ServiceMetrics } from '../metrics/service-metrics.js';
import { type Ports, type RunningServer } from './serve.js';

/** What the primary tells a worker that has come up. */
export interface WorkerAssignment extends Ports {
  credentials: Credentials;
  database: DatabaseAddress | string;
  /** As plain values: decided once, so that a worker which starts later agrees with the others, whatever became of the files. */
  lockStores: readonly Pick<LockStore, 'name' | 'type' | 'version' | 'prefix'>[];
}

export type WorkerMessage = { kind: 'hello' } | { kind: 'listening' } | MetricsMessageOfWorker;
export type PrimaryMessage =
  | { kind: 'assignment'; assignment: WorkerAssignment }
  | { kind: 'drain'; withNotice: boolean }
  | { kind: 'reload-certificate' }
  | MetricsMessageOfPrimary;

/** Milliseconds before a worker that died is replaced; doubled while they die young, so that a broken build does not spin. */
const RESTART_MS = 100;
const LONGEST_RESTART_MS = 5_000;
/** A worker that lived this long did not die of its start. */
const STABLE_MS = 10_000;

/** The processes that share the port. Dead ones are replaced until the service drains. */
export class Workers implements RunningServer {
  private isDraining = false;
  private restartMs = RESTART_MS;
  private readonly serving = new Set<Worker>();
  private readonly metrics = new ServiceMetrics(() => this.askForMetrics());

  /** @param assignment the ports in it are never 0: see `chooseSharedPorts` */
  constructor(
    private readonly count: number,
    private readonly assignment: WorkerAssignment,
    private readonly logger: Logger,
    program: string,
  ) {
    cluster.setupPrimary({ exec: program, args: [], serialization: 'advanced' });
  }

  get port(): number {
    return this.assignment.port;
  }

  get grpcPort(): number | 'off' {
    return this.assignment.grpcPort;
  }

  /** Starts all workers; resolves once each of them listens. */
  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.count }, () => this.fork()));
  }

  /** Workers that start later read the files by themselves. */
  reloadCertificate(): void {
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker) send(worker, { kind: 'reload-certificate' });
    }
  }

  /** Also of workers that a signal to the whole group has reached before us, or that still start. */
  async drain({ withNotice = true } = {}): Promise<void> {
    this.isDraining = true;
    await Promise.all(
      Object.values(cluster.workers ?? {}).map(async (worker) => {
        if (!worker || worker.isDead()) return;
        const exited = once(worker, 'exit');
        send(worker, { kind: 'drain', withNotice });
        await exited;
      }),
    );
  }

  private fork(): Promise<void> {
    const startedAt = performance.now();
    const worker = cluster.fork();
    worker.once('exit', (code, signal) => this.onExit(worker, startedAt, code, signal));
    return new Promise((resolve, reject) => {
      worker.once('exit', (code) => reject(new WorkerEndedError(code)));
      worker.on('message', (message: WorkerMessage) => {
        switch (message.kind) {
          case 'hello':
            return send(worker, { kind: 'assignment', assignment: this.assignment });
          case 'listening':
            this.serving.add(worker);
            return resolve();
          case 'metrics-report':
            if (this.serving.has(worker)) this.metrics.reported(worker.id, message.report);
            return;
          case 'read-metrics':
            return void this.metrics.read().then((text) => send(worker, { kind: 'metrics', text }));
        }
      });
    });
  }

  private askForMetrics(): number[] {
    for (const worker of this.serving) send(worker, { kind: 'report-metrics' });
    return [...this.serving].map(({ id }) => id);
  }

  private onExit(worker: Worker, startedAt: number, code: number, signal: string | null): void {
    this.serving.delete(worker);
    this.metrics.gone(worker.id);
    if (this.isDraining) return;
    const isStable = performance.now() - startedAt > STABLE_MS;
    this.restartMs = isStable ? RESTART_MS : Math.min(this.restartMs * 2, LONGEST_RESTART_MS);
    this.logger.error(
      { worker: worker.process.pid, code, signal, restartMs: this.restartMs },
      'a worker died; starting another',
    );
    setTimeout(() => {
      if (!this.isDraining) this.fork().catch(() => undefined);
    }, this.restartMs);
  }
}

/** A worker that was to be there from the start is not. */
export class WorkerEndedError extends Error {
  constructor(code: number) {
    super(`worker ended with code ${code} before it listened`);
  }
}

/** To a worker that may be ending just now, and then needs to hear nothing any more. */
const send = (worker: Worker, message: PrimaryMessage): void => void worker.send(message, () => undefined);

/** The ports that all workers listen on. */
export async function chooseSharedPorts({
  host,
  port,
  grpcPort,
}: Pick<Settings, 'host' | 'port' | 'grpcPort'>): Promise<Ports> {
  // At the same time, so that they are not the same one.
  const [sharedPort, sharedGrpcPort] = await Promise.all([
    chooseSharedPort(host, port),
    grpcPort === 'off' ? grpcPort : chooseSharedPort(host, grpcPort),
  ]);
  return { port: sharedPort, grpcPort: sharedGrpcPort };
}

/**
 * With `PORT=0` a free one is looked for here: workers that each asked for 0 would lose the common port as soon as all of them had
 * died once.
 */
export async function chooseSharedPort(host: string, port: number): Promise<number> {
  if (port !== 0) return port;
  const probe = createServer().listen(0, host);
  await once(probe, 'listening');
  const { port: free } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return free;
}
