import { type LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';

/** Injection token of the process-wide logger. */
export const LOGGER = Symbol('LOGGER');

/** Bytes collected before a write; one system call then carries many access lines. Flushed each second and at exit. */
const BUFFER_BYTES = 8 * 1024;

/**
 * The one logger of a process. It writes to stderr, so that what `npm start` prints for people (with development credentials) and
 * the log never share a stream. Secrets are kept out by never handing them over; nothing here redacts after the fact.
 *
 * @param level pino's level names, or `silent`
 * @param format `json`, one object a line, or `pretty` for people
 */
export function createLogger(level: string, format: 'json' | 'pretty'): Logger {
  const options = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (format === 'pretty') {
    const stream = PinoPretty({
      destination: 2,
      sync: true,
      ignore: 'pid',
      translateTime: 'SYS:HH:MM:ss.l',
      singleLine: true,
    });
    return pino(options, stream as DestinationStream);
  }
  const destination = pino.destination({ dest: 2, sync: false, minLength: BUFFER_BYTES, periodicFlush: 1000 });
  process.on('exit', () => {
    try {
      destination.flushSync();
    } catch {
      // stderr may be gone, or never have been opened
    }
  });
  return pino(options, destination);
}

/** Lets Nest's own messages go the same way as ours, one level quieter: its start-up chatter is of no use to an operator. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...context: unknown[]): void {
    this.logger.debug({ context: context.at(-1) }, String(message));
  }
  warn(message: unknown, ...context: unknown[]): void {
    this.logger.warn({ context: context.at(-1) }, String(message));
  }
  error(message: unknown, ...context: unknown[]): void {
    this.logger.error({ context: context.at(-1) }, String(message));
  }
}
