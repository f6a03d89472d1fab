/**
 * Signals that come this soon, in milliseconds, are one wish that arrives several times: a terminal tells the whole process group, and
 * so do `timeout` and supervisors, and npm passes on what it was told itself.
 */
export const SAME_WISH_MS = 1_000;

/**
 * Listens for SIGTERM and SIGINT in place of Node, which would end the process.
 *
 * @param onFirst somebody wants this process to stop
 * @param onLater the same again, later: in a hurry now. Called once at most
 * @param hangup `with-hangup`: also SIGHUP is such a wish, as of a terminal that is closed; to the service it means another thing
 * @returns ends the listening
 */
export function onStopWish(
  onFirst: (signal: NodeJS.Signals) => void,
  onLater: () => void,
  hangup?: 'with-hangup',
): () => void {
  const signals: NodeJS.Signals[] = hangup === undefined ? ['SIGTERM', 'SIGINT'] : ['SIGTERM', 'SIGINT', 'SIGHUP'];
  let toldAt: number | null = null;
  let isHurrying = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (toldAt === null) {
      toldAt = performance.now();
      onFirst(signal);
    } else if (!isHurrying && performance.now() - toldAt > SAME_WISH_MS) {
      isHurrying = true;
      onLater();
    }
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
