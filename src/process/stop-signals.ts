import { type Logger } from 'pino';
import { onStopWish } from '../signals/stop-wish.js';

/** What there is to stop, as far as the start has come. */
export interface Stoppable {
  /** Finishes what is under way. SIGTERM lets a load balancer take notice first; Ctrl-C does not wait for one. */
  readonly stop: (withNotice: boolean) => Promise<void>;
  /** Ends what would outlive this process, also in the middle of `stop`. */
  readonly stopAtOnce: () => Promise<void>;
}

/**
 * Stops and then exits on SIGTERM and SIGINT. Another signal, later, does not wait for what is under way.
 *
 * @returns aborted from the first signal on
 */
export function stopOnSignals({ stop, stopAtOnce }: Stoppable, logger: Logger): AbortSignal {
  const stopping = new AbortController();
  let isHurrying = false;
  const finish = async (withNotice: boolean): Promise<void> => {
    const code = await stop(withNotice).then(
      () => 0,
      (error: unknown) => {
        logger.fatal({ err: error }, 'stopping failed');
        return 1;
      },
    );
    // In a hurry it was cut short, which is no success.
    if (!isHurrying) process.exit(code);
  };
  onStopWish(
    (signal) => {
      stopping.abort();
      void finish(signal === 'SIGTERM');
    },
    () => {
      isHurrying = true;
      void stopAtOnce().finally(() => process.exit(130));
    },
  );
  return stopping.signal;
}
