import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { type ApiRequest } from '../http/api-request.js';
import { conditionFrom } from './condition.js';

/**
 * Turns `If-Match` and `If-None-Match` into the request's condition. It refuses nothing by itself: whether a condition holds is
 * decided where the row is locked, and an unreadable header counts as absent (Azure contract section 5).
 */
@Injectable()
export class IfMatchGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const ifMatch = request.header('if-match');
    const ifNoneMatch = request.header('if-none-match');
    if (ifMatch !== undefined || ifNoneMatch !== undefined) request.condition = conditionFrom(ifMatch, ifNoneMatch);
    return true;
  }
}
