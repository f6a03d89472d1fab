/** Calls of one kind that wait beyond which a new one is refused, as in front of the connections (reliability §4.6). */
const MAX_WAITING = 1000;
/** Milliseconds after which a statement no longer keeps others waiting: one that hangs must cost a connection, not the queue. */
const PATIENCE_MS = 200;

/**
 * Calls that wait for statements which several of them share, and when the next statement is sent: as long as fewer are under way than
 * may be, and after all calls of one turn of the event loop have arrived. Who shares it is for its owner to say.
 */
export class StatementLine<One> {
  /** In order of arrival. */
  waiting: One[] = [];
  /** Those of the statements that others still wait for. */
  readonly underWay = new Set<readonly One[]>();
  private isScheduled = false;

  /**
   * @param takeNext removes from those that wait the ones that the next statement is for; none while all have to wait for what is under way
   * @param send resolves, and never rejects, when their statement is over
   */
  constructor(
    private readonly maxUnderWay: number,
    private readonly takeNext: () => readonly One[],
    private readonly send: (taken: readonly One[]) => Promise<void>,
  ) {}

  get isFull(): boolean {
    return this.waiting.length >= MAX_WAITING;
  }

  add(one: One): void {
    this.waiting.push(one);
    this.schedule();
  }

  /** The rest of this turn of the event loop may bring more calls. */
  private schedule(): void {
    if (this.isScheduled || this.underWay.size >= this.maxUnderWay || this.waiting.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      const taken = this.takeNext();
      if (taken.length > 0) void this.sendNext(taken);
    });
  }

  private async sendNext(taken: readonly One[]): Promise<void> {
    this.underWay.add(taken);
    const timer = setTimeout(() => this.end(taken), PATIENCE_MS).unref();
    this.schedule();
    await this.send(taken);
    clearTimeout(timer);
    this.end(taken);
  }

  /** A statement that takes too long is over for those that wait before it has ended. */
  private end(taken: readonly One[]): void {
    if (this.underWay.delete(taken)) this.schedule();
  }
}
