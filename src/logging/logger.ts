import { type LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, type LoggerOptions, pino, symbols } from 'pino';
import type * as PinoPretty from 'pino-pretty';
import { errorRecord } from './error-record.js';
import { LogStream } from './log-stream.js';

/** Injection token of the process-wide logger. */
export const LOGGER = Symbol('LOGGER');

/**
 * The one logger of a process. It writes to stderr, so that what `npm start` prints for people (with development credentials) and
 * the log never share a stream. Secrets are kept out by never handing them over; nothing here redacts after the fact.
 *
 * @param level pino's level names, or `silent`
 * @param format `json`, one object a line, or `pretty` for people
 */
export function createLogger(level: string, format: 'json' | 'pretty'): Logger {
  const options = loggerOptions(level);
  if (format === 'pretty') {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- at first use: the usual service never needs it
    const { PinoPretty: prettyStream } = require('pino-pretty') as typeof PinoPretty;
    const stream = prettyStream({
      destination: 2,
      sync: true,
      ignore: 'pid',
      translateTime: 'SYS:HH:MM:ss.l',
      singleLine: true,
    });
    return pino(options, stream as DestinationStream);
  }
  return pino(options, new LogStream());
}

/** What pino is told, wherever the lines go. */
export function loggerOptions(level: string): LoggerOptions {
  return {
    level,
    base: { pid: process.pid },
    timestamp: isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: errorRecord },
  };
}

/**
 * What takes whole lines where the log is JSON: a line that is written for every request costs less when it is put together for what it
 * holds. Undefined where lines are laid out for people.
 */
export function lineStream(logger: Logger): LogStream | undefined {
  const stream: unknown = (logger as unknown as Record<symbol, unknown>)[symbols.streamSym];
  return stream instanceof LogStream ? stream : undefined;
}

let second = 0;
let secondText = '';

/** A record's time as its second member: ISO 8601 as pino writes it, but made anew only once a second. */
export function isoTime(): string {
  const now = Date.now();
  const nowSecond = Math.floor(now / 1000);
  if (nowSecond !== second) {
    second = nowSecond;
    secondText = new Date(nowSecond * 1000).toISOString().slice(0, 20);
  }
  return `,"time":"${secondText}${String(now % 1000).padStart(3, '0')}Z"`;
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
