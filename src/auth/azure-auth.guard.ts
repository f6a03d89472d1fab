import { createHash } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { DatabaseClock } from '../database/database-clock.js';
import { AuditLog } from '../events/audit-log.js';
import { type AzureRequest } from '../http/azure/azure-request.js';
import { Metrics } from '../metrics/metrics.js';
import { forbidden, unauthorized } from '../problem/catalogue.js';
import { type Problem } from '../problem/problem.js';
import { AccessKeyStore } from './access-key.js';
import { challenges, EMPTY_BODY_HASH, isHmacAuthorization, verifySignature } from './hmac-signature.js';
import { scopesFor } from './oidc-access.js';
import { OidcAuthenticator } from './oidc.authenticator.js';
import { SeenSignatures } from './seen-signatures.js';
import { accessKeyPrincipal, ANONYMOUS_CONFIG_PRINCIPAL, type Principal } from './principal.js';

/**
 * Who calls the Azure surface, and whether this caller may do what the route needs: 401, then 403, before anything about the
 * resource is looked at (contract section 9).
 */
@Injectable()
export class AzureAuthGuard implements CanActivate {
  constructor(
    private readonly keys: AccessKeyStore,
    private readonly oidc: OidcAuthenticator,
    private readonly clock: DatabaseClock,
    private readonly auditLog: AuditLog,
    private readonly seen: SeenSignatures,
    @Inject(Settings) private readonly settings: Settings,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Decides at once but for bearer tokens, and for writes with `STRICT_REPLAY`: a promise for each request signed with a key would cost a
   * turn of the event loop.
   */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const request = context.switchToHttp().getRequest<AzureRequest>();
    const authorization = request.header('authorization');
    if (authorization === undefined) return this.authorize(request, this.anonymous());
    if (isHmacAuthorization(authorization)) return this.authorizeSigned(request, authorization);
    const token = this.oidc.tokenOf(authorization);
    if (token === undefined) throw unauthorized(challenges());
    return this.oidc.authenticate(token, request).then((principal) => this.authorize(request, principal));
  }

  private anonymous(): Principal {
    if (this.settings.allowAnonymousConfig) return ANONYMOUS_CONFIG_PRINCIPAL;
    throw unauthorized(challenges());
  }

  private authorizeSigned(request: AzureRequest, authorization: string): boolean | Promise<boolean> {
    const verdict = verifySignature(
      {
        method: request.method,
        target: request.target,
        authorization,
        rawHeaders: request.rawHeaders,
        bodyHash: () =>
          request.body.length === 0 ? EMPTY_BODY_HASH : createHash('sha256').update(request.body).digest('base64'),
      },
      this.keys,
      this.clock.now(),
      { hostQuirk: this.settings.httpHostQuirk && !request.isEncrypted },
    );
    if (!verdict.ok) throw this.refuse(verdict.challenge);
    const mayPass = this.authorize(request, accessKeyPrincipal(verdict.key));
    if (!this.settings.strictReplay || request.route!.access !== 'write') return mayPass;
    return this.seen.use(verdict.signature).then((isFirst) => {
      if (!isFirst) throw this.refuse('The signature was used before');
      return true;
    });
  }

  private refuse(challenge: string): Problem {
    this.metrics.authFailures.inc();
    return unauthorized(challenges(challenge));
  }

  private authorize(request: AzureRequest, principal: Principal): true {
    request.principal = principal;
    if (mayCall(request, principal)) return true;
    this.auditLog.refused(request, 'config');
    throw forbidden();
  }
}

function mayCall(request: AzureRequest, { mayRead, mayWrite, scopes }: Principal): boolean {
  const route = request.route!;
  if (!(route.access === 'write' ? mayWrite : mayRead)) return false;
  return scopes === undefined || scopesFor(route, request.listsSnapshot).every((scope) => scopes.has(scope));
}
