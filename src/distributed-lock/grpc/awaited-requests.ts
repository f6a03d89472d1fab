import { type ServerInterceptor, ServerInterceptingCall, status } from '@grpc/grpc-js';

/**
 * Milliseconds that a client may take to send its whole request: as long as over HTTP. Some clients leave a stream open for good when
 * they could not encode the message (distributed-lock contract section 4); each would hold one of its connection's streams.
 */
const REQUEST_MS = 30_000;
/** The same while the service drains: time for what is on its way, not for what will never come. */
const DRAIN_MS = 500;

/** The calls whose request is not complete. None of them may wait for ever, least of all hold up the end of the process. */
export class AwaitedRequests {
  private readonly calls = new Map<() => void, NodeJS.Timeout>();
  /** Calls without a status so far, complete or not. */
  private readonly open = new Set<() => void>();
  private isDraining = false;
  private onIdle: () => void = () => undefined;

  /** @param requestMs another patience than usual, for tests */
  constructor(private readonly requestMs = REQUEST_MS) {}

  readonly interceptor: ServerInterceptor = (_method, call) => {
    let isOver = false;
    const settle = (): void => {
      clearTimeout(this.calls.get(giveUp));
      this.calls.delete(giveUp);
    };
    const finish = (): void => {
      settle();
      this.open.delete(giveUp);
      if (this.open.size === 0) this.onIdle();
    };
    const giveUp = (): void => {
      isOver = true;
      finish();
      if (this.isDraining) call.sendStatus({ code: status.UNAVAILABLE, details: 'the service is shutting down' });
      else call.sendStatus({ code: status.DEADLINE_EXCEEDED, details: 'the request did not arrive in time' });
    };
    return new ServerInterceptingCall(call, {
      start: (next) => {
        this.open.add(giveUp);
        this.arm(giveUp);
        next({
          onReceiveHalfClose: (pass) => {
            settle();
            // The client was told already that this call came to nothing, so it must not take a lock any more.
            if (!isOver) pass();
          },
          onCancel: () => {
            isOver = true;
            finish();
          },
        });
      },
      sendStatus: (sent, next) => {
        next(sent);
        finish();
      },
    });
  };

  /** Resolves once no call is left. */
  drain(): Promise<void> {
    this.isDraining = true;
    for (const [giveUp, timer] of this.calls) {
      clearTimeout(timer);
      this.arm(giveUp);
    }
    return new Promise((resolve) => {
      this.onIdle = resolve;
      if (this.open.size === 0) resolve();
    });
  }

  private arm(giveUp: () => void): void {
    this.calls.set(giveUp, setTimeout(giveUp, this.isDraining ? DRAIN_MS : this.requestMs).unref());
  }
}
