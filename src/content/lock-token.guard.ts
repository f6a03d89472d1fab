import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { type ContentRequest } from '../http/content/content-request.js';
import { parseLockToken } from './rules/lock-token.js';

/**
 * Turns `Lock-Token` and `X-Plone-Unlock` into the claim with which content is changed. It refuses nothing by itself: whether the token
 * is good is decided where the row is locked.
 */
@Injectable()
export class LockTokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<ContentRequest>();
    request.claim = {
      user: request.principal.name,
      token: parseLockToken(request.header('lock-token')),
      releaseAfter: request.header('x-plone-unlock')?.trim().toLowerCase() === 'true',
    };
    return true;
  }
}
