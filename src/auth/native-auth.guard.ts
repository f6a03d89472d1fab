import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { isLoopbackHost } from '../config/addresses.js';
import { Settings } from '../config/settings.js';
import { AuditLog } from '../events/audit-log.js';
import { type ApiRequest } from '../http/api-request.js';
import { type Access } from '../http/surface-controller.decorator.js';
import { forbidden, unauthorized } from '../problem/catalogue.js';
import { type Problem } from '../problem/problem.js';
import { CALLER_CHALLENGES, CallerAuthenticator } from './caller.authenticator.js';
import { FailedLogins } from './failed-logins.js';
import { isAllowed } from './native-access.js';
import { DAPR_PRINCIPAL, NOBODY_PRINCIPAL, type Principal } from './principal.js';
import { SharedSecret } from './shared-secret.js';

/**
 * Who calls our own API, and whether this caller may do what the route needs: 401, then 403, before anything about the resource is
 * looked at. Wrong credentials are 401 even where none are needed.
 */
@Injectable()
export class NativeAuthGuard implements CanActivate {
  private readonly lockToken: SharedSecret | undefined;

  constructor(
    private readonly callers: CallerAuthenticator,
    private readonly failedLogins: FailedLogins,
    private readonly auditLog: AuditLog,
    @Inject(Settings) private readonly settings: Settings,
  ) {
    this.lockToken = settings.daprApiToken === undefined ? undefined : new SharedSecret(settings.daprApiToken);
  }

  /** Decides at once but for `Authorization`: a promise for each request of a lock client would cost a turn of the event loop. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const hasToken = this.hasToken(request);
    if (request.header('authorization') === undefined) {
      return hasToken ? this.authorize(request, DAPR_PRINCIPAL) : this.authorizeAnonymous(request);
    }
    // Of two right credentials the one that names a person counts.
    return this.callers.authenticate(request, 'native').then((principal) => this.authorize(request, principal!));
  }

  /** Whether the token of the Dapr surface was sent; a wrong one is refused. */
  private hasToken(request: ApiRequest): boolean {
    const token = request.header('dapr-api-token');
    if (token === undefined) return false;
    if (this.lockToken?.equals(token)) return true;
    this.failedLogins.record(request, { surface: 'native', credentials: 'dapr-api-token' });
    throw unauthorized(CALLER_CHALLENGES);
  }

  /** As on the Dapr surface, locks need no credentials on loopback while no token is configured. */
  private authorizeAnonymous(request: ApiRequest): true {
    const isOpen = this.settings.isLoopback && this.settings.daprApiToken === undefined;
    request.principal = isOpen ? DAPR_PRINCIPAL : NOBODY_PRINCIPAL;
    if (this.mayUse(request)) return true;
    throw unauthorized(CALLER_CHALLENGES);
  }

  private authorize(request: ApiRequest, principal: Principal): true {
    request.principal = principal;
    if (this.mayUse(request)) return true;
    throw this.refuse(request);
  }

  /** Metrics are for managers, and for anyone on this host: that is where collectors run. Behind a proxy everybody seems to be on it. */
  private mayUse(request: ApiRequest): boolean {
    const access = accessOf(request);
    if (isAllowed(request.principal, access)) return true;
    return access === 'metrics' && this.settings.isLoopback && isLoopbackHost(request.remoteAddress);
  }

  /** The 403 to a caller who is known (`request.principal`) and lacks the right that `request.route` needs: noted in the audit log. */
  private refuse(request: ApiRequest): Problem {
    this.auditLog.refused(request, 'native');
    return forbidden();
  }
}

function accessOf(request: ApiRequest): Access {
  return request.route!.access as Access;
}
