import { Inject, Injectable } from '@nestjs/common';
import { type Logger } from 'pino';
import { Settings } from '../config/settings.js';
import { DatabaseClock } from '../database/database-clock.js';
import { type ApiRequest } from '../http/api-request.js';
import { LOGGER } from '../logging/logger.js';
import { unauthorized, unavailable } from '../problem/catalogue.js';
import { isConfidential } from './confidential.js';
import { oidcPrincipal } from './oidc-access.js';
import { FailedLogins } from './failed-logins.js';
import { fetchKeySet, OidcKeySet } from './oidc-key-set.js';
import {
  bearerChallenges,
  bearerTokenOf,
  KeySetUnavailableError,
  type TokenVerdict,
  verifyToken,
} from './oidc-token.js';
import { type Principal } from './principal.js';

const RETRY_AFTER_MS = 2_000;

/** Who a bearer token of the configured issuer speaks for. Without an issuer no token is one of its kind. */
@Injectable()
export class OidcAuthenticator {
  private readonly keySet: OidcKeySet;

  constructor(
    private readonly clock: DatabaseClock,
    @Inject(Settings) private readonly settings: Settings,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly failedLogins: FailedLogins,
  ) {
    this.keySet = new OidcKeySet(
      () => fetchKeySet(settings.oidcIssuer!),
      (error) =>
        logger.warn({ err: error, issuer: settings.oidcIssuer }, 'the keys of the token issuer cannot be fetched'),
    );
  }

  /** The token of the header; undefined where bearer tokens are not in use, or the header has another scheme. */
  tokenOf(authorization: string): string | undefined {
    return this.settings.hasOidc ? bearerTokenOf(authorization) : undefined;
  }

  /**
   * The caller of the configuration API.
   *
   * @throws 401 for a token that is wrong, 429 when they were wrong too often
   */
  async authenticate(token: string, request: ApiRequest): Promise<Principal> {
    if (!isConfidential(request, this.settings)) {
      throw unauthorized(bearerChallenges('Bearer tokens are accepted over TLS only'));
    }
    const verdict = await this.judge(token, request);
    if (verdict.ok) return oidcPrincipal(verdict.claims);
    this.failedLogins.record(request, { surface: 'config', credentials: 'bearer-token' });
    throw unauthorized(bearerChallenges(verdict.description));
  }

  /** Whether the token is right, for surfaces that refuse in other words. Throws 503 where there are no keys to judge by. */
  async judge(token: string, request: ApiRequest): Promise<TokenVerdict> {
    const { oidcIssuer, oidcAudience } = this.settings;
    const rules = { issuer: oidcIssuer!, audience: oidcAudience!, nowMs: this.clock.now() };
    try {
      const verdict = await verifyToken(token, rules, this.keySet.find);
      if (!verdict.ok) this.logger.debug({ requestId: request.id, reason: verdict.reason }, 'bearer token refused');
      return verdict;
    } catch (error) {
      if (error instanceof KeySetUnavailableError) throw unavailable(RETRY_AFTER_MS, { cause: error });
      throw error;
    }
  }
}
