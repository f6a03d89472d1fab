import { setTimeout as pause } from 'node:timers/promises';
import { type KeyValueOperation } from './history';
import { KeyValueClient, type Known } from './key-value-client';
import { type Random } from './random';
import { type Target } from './target';

const CLIENTS = 16;
/** Shares of the mix: 50 % get, 25 % put, 20 % compare-and-set or create, 5 % delete. */
const GET = 0.5;
const PUT = 0.75;
const CAS = 0.95;
/** A replica that took no connection is left alone for this long. */
const AWAY_MS = 100;

/** Sixteen clients that read and write a few keys over all replicas as fast as they are answered. */
export class KeyValueLoad {
  readonly history: KeyValueOperation[] = [];
  acknowledgedWrites = 0;
  private isOver = false;
  private running: Promise<unknown> = Promise.resolve();

  /** @param keys few enough that clients meet, many enough that none gets more than 5,000 operations */
  constructor(
    private readonly replicas: readonly Target[],
    private readonly keys: readonly string[],
    private readonly random: Random,
    /** Operations after which nothing but writes is made. */
    private readonly mixed = Infinity,
    private readonly clients = CLIENTS,
  ) {}

  start(): void {
    this.running = Promise.all(Array.from({ length: this.clients }, (_, client) => this.drive(client)));
    // Told to whoever stops the load.
    this.running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.running;
  }

  /** Fails at once when a client met an answer that must not be. */
  async whileRunning<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.running.then(() => work)]);
  }

  private async drive(number: number): Promise<void> {
    const random = this.random.fork(number);
    const known = new Map<string, Known | null>();
    const client = new KeyValueClient(number, (operation) => {
      this.history.push(operation);
      if (isAcknowledgedWrite(operation)) this.acknowledgedWrites++;
    });
    const awayUntil = new Map<Target, number>();
    try {
      for (let turn = 0; !this.isOver; turn++) {
        const key = random.pick(this.keys);
        const replica = random.pick(this.replicas);
        if ((awayUntil.get(replica) ?? 0) > performance.now()) {
          if (this.replicas.every((each) => (awayUntil.get(each) ?? 0) > performance.now())) await pause(10);
          continue;
        }
        const operation = await this.step(client, random, replica, key, `${number}-${turn}`, known);
        if (operation.outcome !== 'ok') {
          awayUntil.set(replica, performance.now() + AWAY_MS);
          known.delete(key);
        }
      }
    } finally {
      client.close();
    }
  }

  private async step(
    client: KeyValueClient,
    random: Random,
    replica: Target,
    key: string,
    value: string,
    known: Map<string, Known | null>,
  ): Promise<KeyValueOperation> {
    const writesOnly = this.history.length >= this.mixed;
    const draw = writesOnly ? random.between(GET, CAS) : random.next();
    const last = known.get(key);
    const learn = (operation: KeyValueOperation): KeyValueOperation => {
      const { outcome, isDone, etag, op } = operation;
      if (outcome !== 'ok') return operation;
      if (op === 'get') known.set(key, etag === null ? null : { value: operation.value!, etag });
      else if (op === 'delete') known.set(key, null);
      else if (isDone) known.set(key, { value, etag: etag! });
      else known.delete(key);
      return operation;
    };
    if (draw >= CAS) return learn(await client.delete(replica, key));
    if (draw >= PUT && last === null) return learn(await client.create(replica, key, value));
    if (draw >= PUT && last) return learn(await client.cas(replica, key, last, value));
    if (draw >= GET && (draw < PUT || writesOnly)) return learn(await client.put(replica, key, value));
    return learn(await client.get(replica, key));
  }
}

/** Whether the client was told that something changed. */
const isAcknowledgedWrite = ({ op, outcome, isDone, value }: KeyValueOperation): boolean =>
  op !== 'get' && outcome === 'ok' && isDone && (op !== 'delete' || value !== null);
