import { type AuditEvent } from '../events/audit-event.js';
import { type ApiRequest } from '../http/api-request.js';
import { type ForcedEvent, type LockFilter } from './content-lock.repository.js';

/** What the audit log says of a lock that somebody other than its holder ended: who did it, and why if that was asked. */
export function endedByForce(
  { principal, remoteAddress, id }: ApiRequest,
  action: 'lock-stolen' | 'lock-forced' | 'lock-broken',
  path: readonly string[],
  reason: string | null = null,
): ForcedEvent {
  return {
    actor: principal.name,
    address: remoteAddress,
    requestId: id,
    surface: 'content',
    action,
    target: `/${path.join('/')}`,
    outcome: 'done',
    reason,
  };
}

/** What the audit log says of a page of the board: who read it, and how it was narrowed. */
export function boardRead(
  { principal, remoteAddress, id }: ApiRequest,
  { pathPrefix, holder }: LockFilter,
): AuditEvent {
  return {
    actor: principal.name,
    address: remoteAddress,
    requestId: id,
    surface: 'content',
    action: 'locks-listed',
    target: `${pathPrefix}*`,
    outcome: 'done',
    reason: null,
    details: holder === null ? null : { holder },
  };
}
