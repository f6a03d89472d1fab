import { createHash } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { DatabaseClock } from '../database/database-clock.js';
import { type AzureRequest } from '../http/azure/azure-request.js';
import { forbidden, unauthorized } from '../problem/catalogue.js';
import { AccessKeyStore } from './access-key.js';
import { challenges, EMPTY_BODY_HASH, isHmacAuthorization, verifySignature } from './hmac-signature.js';
import { accessKeyPrincipal, ANONYMOUS_CONFIG_PRINCIPAL, type Principal } from './principal.js';

/**
 * Who calls the Azure surface, and whether this caller may do what the route needs: 401, then 403, before anything about the
 * resource is looked at (contract section 9).
 */
@Injectable()
export class AzureAuthGuard implements CanActivate {
  constructor(
    private readonly keys: AccessKeyStore,
    private readonly clock: DatabaseClock,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<AzureRequest>();
    request.principal = this.authenticate(request);
    const { access } = request.route!;
    if (access === 'write' ? !request.principal.mayWrite : !request.principal.mayRead) throw forbidden();
    return true;
  }

  private authenticate(request: AzureRequest): Principal {
    const authorization = request.header('authorization');
    if (authorization === undefined) {
      if (this.settings.allowAnonymousConfig) return ANONYMOUS_CONFIG_PRINCIPAL;
      throw unauthorized(challenges());
    }
    if (!isHmacAuthorization(authorization)) throw unauthorized(challenges());
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
    if (!verdict.ok) throw unauthorized(challenges(verdict.challenge));
    return accessKeyPrincipal(verdict.key);
  }
}
