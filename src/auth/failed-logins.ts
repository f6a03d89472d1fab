import { Inject, Injectable } from '@nestjs/common';
import { type Logger } from 'pino';
import { Settings } from '../config/settings.js';
import { AuditLog } from '../events/audit-log.js';
import { LOGGER } from '../logging/logger.js';
import { Metrics } from '../metrics/metrics.js';
import { tooManyFailedLogins } from '../problem/catalogue.js';
import { networkOf } from './address.js';
import { BoundedMap } from '../memory/bounded-map.js';

const WINDOW_MS = 60_000;
/** Addresses that are remembered. Somebody with more of them than that is not held up by counting addresses. */
const MAX_ADDRESSES = 10_000;

/** What is known of a request whose credentials are wrong. */
export interface FailedRequest {
  readonly id: string;
  readonly remoteAddress: string;
}

/** What was wrong, for the audit log. */
export interface FailedAttempt {
  /** Where it was tried, as `AuditEvent.surface`. */
  readonly surface: 'config' | 'lock' | 'native' | 'content';
  readonly credentials: 'password' | 'bearer-token' | 'dapr-api-token';
  /** The configured user whose password it was not. Never what was typed: people type a password into the field of the name. */
  readonly user?: string | undefined;
}

/**
 * Counts wrong credentials by address, a minute from the first one on. It never stands before the check itself: right credentials
 * pass however often others at the same address were wrong, so nobody can lock others out (docs/security.md).
 */
@Injectable()
export class FailedLogins {
  private readonly counts = new BoundedMap<{ failures: number }>(MAX_ADDRESSES, WINDOW_MS);
  private readonly limit: number;

  constructor(
    @Inject(Settings) settings: Settings,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly metrics: Metrics,
    private readonly auditLog: AuditLog,
  ) {
    this.limit = settings.failedLoginsPerMinute;
  }

  /** Whether the next wrong credentials from there would be 429. */
  isOver({ remoteAddress }: Pick<FailedRequest, 'remoteAddress'>): boolean {
    return (this.counts.get(networkOf(remoteAddress))?.failures ?? 0) >= this.limit;
  }

  /**
   * To be called for wrong credentials, never for missing ones.
   *
   * @throws 429 beyond the limit; otherwise the caller refuses in its surface's own words
   */
  record({ id, remoteAddress }: FailedRequest, attempt: FailedAttempt): void {
    this.metrics.authFailures.inc();
    const network = networkOf(remoteAddress);
    const count = this.counts.get(network) ?? { failures: 0 };
    if (count.failures === 0) this.counts.set(network, count);
    count.failures++;
    // Neither the name nor the credentials: people type one into the field of the other. Nothing per request once an address is over.
    if (count.failures <= this.limit) {
      this.auditLog.loginFailed({ id, remoteAddress }, attempt, 'login-failed');
      return this.logger.info({ requestId: id, address: remoteAddress }, 'login failed');
    }
    if (count.failures === this.limit + 1) {
      this.auditLog.loginFailed({ id, remoteAddress }, attempt, 'logins-limited');
      this.logger.warn({ requestId: id, address: remoteAddress }, 'too many failed logins from this address');
    }
    this.metrics.throttled.inc({ reason: 'failed-logins' });
    throw tooManyFailedLogins(Math.ceil(this.counts.remainingMs(network)));
  }
}
