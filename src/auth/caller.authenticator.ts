import { createSecretKey, type KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CREDENTIALS, type Credentials } from '../config/credentials.js';
import { Settings } from '../config/settings.js';
import { DatabaseClock } from '../database/database-clock.js';
import { type ApiRequest } from '../http/api-request.js';
import { unauthorized } from '../problem/catalogue.js';
import { networkOf } from './address.js';
import { isBasic, parseBasic } from './basic-credentials.js';
import { isConfidential } from './confidential.js';
import { FailedLogins } from './failed-logins.js';
import { issuerOf, LOGIN_ISSUER, signLoginToken, verifyLoginToken } from './login-token.js';
import { oidcPrincipal } from './oidc-access.js';
import { bearerTokenOf, isSameIssuer } from './oidc-token.js';
import { OidcAuthenticator } from './oidc.authenticator.js';
import { type Principal, userPrincipal } from './principal.js';
import { type User, UserDirectory } from './user-directory.js';

/** RFC 7617 §2.1: asks clients to write names and passwords in UTF-8. */
const BASIC_CHALLENGE = 'Basic realm="latchkey", charset="UTF-8"';
const BEARER_CHALLENGE = 'Bearer realm="latchkey"';

/** What a 401 offers to somebody who sent no credentials, or some of a kind that is not taken here. */
export const CALLER_CHALLENGES: readonly string[] = Object.freeze([BASIC_CHALLENGE, BEARER_CHALLENGE]);

/** A user who logged in, and the token that says so from now on. */
export interface Login {
  readonly user: User;
  readonly token: string;
}

/**
 * Who the `Authorization` header of a request on our own and the content surface speaks for. What this caller may do, and what to make
 * of a request without the header, is each surface's guard's business.
 */
@Injectable()
export class CallerAuthenticator {
  private readonly loginKey: KeyObject;

  constructor(
    private readonly users: UserDirectory,
    private readonly oidc: OidcAuthenticator,
    private readonly failedLogins: FailedLogins,
    private readonly clock: DatabaseClock,
    @Inject(Settings) private readonly settings: Settings,
    @Inject(CREDENTIALS) credentials: Credentials,
  ) {
    // Generated users are for loopback, and so are their tokens: a key of their own keeps them from users of the same names elsewhere.
    const secret = settings.cmsUsers ? credentials.jwtSecret : `generated users ${credentials.jwtSecret}`;
    this.loginKey = createSecretKey(Buffer.from(secret, 'utf8'));
  }

  /**
   * The caller; null when the request has no `Authorization` at all.
   *
   * @param surface tokens of the configured issuer count on our own surface only
   * @throws 401 for credentials that are wrong, 429 when they were wrong too often, 503 when nobody can say
   */
  async authenticate(request: ApiRequest, surface: 'native' | 'content'): Promise<Principal | null> {
    const authorization = request.header('authorization');
    if (authorization === undefined) return null;
    const token = bearerTokenOf(authorization);
    if (token === undefined && !isBasic(authorization)) throw unauthorized(CALLER_CHALLENGES);
    if (!isConfidential(request, this.settings)) {
      throw unauthorized([BASIC_CHALLENGE, invalidToken('Credentials are accepted over TLS only')]);
    }
    const principal =
      token === undefined
        ? await this.byPassword(authorization, request)
        : await this.byToken(token, request, surface === 'native');
    if (principal) return principal;
    this.failedLogins.record(
      request,
      token === undefined
        ? { surface, credentials: 'password', user: this.userIn(authorization) }
        : { surface, credentials: 'bearer-token' },
    );
    throw unauthorized(token === undefined ? CALLER_CHALLENGES : [BASIC_CHALLENGE, invalidToken()]);
  }

  /**
   * Name and password for a login token; null when they are wrong.
   *
   * @throws 401 over plain http from elsewhere, 429 when they were wrong too often, 503 when too many wait
   */
  async logIn(name: string, password: string, request: ApiRequest): Promise<Login | null> {
    if (!isConfidential(request, this.settings)) throw unauthorized(CALLER_CHALLENGES);
    const user = await this.verify(name, password, request);
    if (user) return { user, token: await this.issueToken(user) };
    this.failedLogins.record(request, {
      surface: 'content',
      credentials: 'password',
      user: this.users.find(name)?.name,
    });
    return null;
  }

  /** A token with its full lifetime before it, for somebody who is logged in already; null when the user is not configured. */
  async renew(name: string): Promise<Login | null> {
    const user = this.users.find(name);
    return user && { user, token: await this.issueToken(user) };
  }

  private async byPassword(authorization: string, request: ApiRequest): Promise<Principal | null> {
    const credentials = parseBasic(authorization);
    const user = credentials && (await this.verify(credentials.name, credentials.password, request));
    return user && userPrincipal(user);
  }

  private userIn(authorization: string): string | undefined {
    const credentials = parseBasic(authorization);
    return credentials ? this.users.find(credentials.name)?.name : undefined;
  }

  /** The issuer that a token names decides who judges it, and only by that one's rules (docs/security.md). */
  private async byToken(token: string, request: ApiRequest, takesOidc: boolean): Promise<Principal | null> {
    const issuer = issuerOf(token);
    if (issuer === LOGIN_ISSUER) {
      const name = await verifyLoginToken(token, this.loginKey, this.clock.now());
      const user = name === null ? null : this.users.find(name);
      return user && userPrincipal(user);
    }
    const isOidc = takesOidc && this.settings.hasOidc && issuer !== null;
    if (!isOidc || !isSameIssuer(issuer, this.settings.oidcIssuer!)) return null;
    const verdict = await this.oidc.judge(token, request);
    return verdict.ok ? oidcPrincipal(verdict.claims) : null;
  }

  private verify(name: string, password: string, request: ApiRequest): Promise<User | null> {
    const origin = { address: networkOf(request.remoteAddress), isSuspect: this.failedLogins.isOver(request) };
    return this.users.verify(name, password, origin);
  }

  private issueToken(user: User): Promise<string> {
    return signLoginToken(user, this.loginKey, this.clock.now());
  }
}

/** RFC 6750 §3.1. */
function invalidToken(description = 'The access token is expired, revoked or malformed'): string {
  return `${BEARER_CHALLENGE}, error="invalid_token", error_description="${description}"`;
}
