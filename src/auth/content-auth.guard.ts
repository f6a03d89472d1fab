import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { AuditLog } from '../events/audit-log.js';
import { type ApiRequest } from '../http/api-request.js';
import { forbidden, unauthorized } from '../problem/catalogue.js';
import { CALLER_CHALLENGES, CallerAuthenticator } from './caller.authenticator.js';
import { mayOnContent } from './content-access.js';
import { NOBODY_PRINCIPAL, type Principal } from './principal.js';

/**
 * Who calls the content surface, and whether this caller may do what the route needs: 401 for somebody unknown, 403 for somebody known,
 * both before anybody looks whether there is such an object. Plone answers 401 in both cases (content contract section 10).
 */
@Injectable()
export class ContentAuthGuard implements CanActivate {
  constructor(
    private readonly callers: CallerAuthenticator,
    private readonly auditLog: AuditLog,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const access = request.route!.access;
    // Clients send their old token along when they log in again; it must not stand in the way.
    if (access === 'login' || request.header('authorization') === undefined) {
      return this.authorize(request, NOBODY_PRINCIPAL, access);
    }
    return this.callers
      .authenticate(request, 'content')
      .then((principal) => this.authorize(request, principal!, access));
  }

  private authorize(request: ApiRequest, principal: Principal, access: string): true {
    request.principal = principal;
    if (mayOnContent(principal, access)) return true;
    if (principal.kind === 'anonymous') throw unauthorized(CALLER_CHALLENGES);
    this.auditLog.refused(request, 'content');
    throw forbidden();
  }
}
