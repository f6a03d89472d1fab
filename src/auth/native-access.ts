import { type UserRole } from '../config/settings.js';
import { type Access } from '../http/surface-controller.decorator.js';
import { type Principal, type Scope } from './principal.js';

/** What the callers of our own API may do (docs/security.md). */

type Right = 'inspect' | 'lock' | 'content-locks' | 'force' | 'audit' | 'metrics';

const NOTHING: ReadonlySet<Right> = new Set();
const INSPECT: ReadonlySet<Right> = new Set(['inspect']);
const LOCK: ReadonlySet<Right> = new Set(['inspect', 'lock']);
/** Of all who may lock, only people see who edits what. */
const EDIT: ReadonlySet<Right> = new Set(['inspect', 'lock', 'content-locks']);
const EVERYTHING: ReadonlySet<Right> = new Set(['inspect', 'lock', 'content-locks', 'force', 'audit', 'metrics']);

const OF_ROLE: Readonly<Record<UserRole, ReadonlySet<Right>>> = { reader: INSPECT, editor: EDIT, manager: EVERYTHING };

/** Whether the principal may call a route that needs this. */
export function isAllowed(principal: Principal, access: Access): boolean {
  switch (access) {
    case 'nothing':
    case 'surface':
      return true;
    case 'read':
      return principal.mayRead && hasScope(principal, 'KeyValue.Read');
    case 'write':
      return principal.mayWrite && hasScope(principal, 'KeyValue.Write');
    default:
      return (rightsOf(principal) as ReadonlySet<Access>).has(access);
  }
}

function hasScope({ scopes }: Principal, scope: Scope): boolean {
  return scopes === undefined || scopes.has(scope);
}

function rightsOf(principal: Principal): ReadonlySet<Right> {
  switch (principal.kind) {
    case 'user':
      return principal.role === undefined ? NOTHING : OF_ROLE[principal.role];
    case 'dapr':
      return LOCK;
    case 'oidc':
      // A token that names its scopes was given for those alone, and none of them is about locks.
      if (principal.scopes !== undefined) return NOTHING;
      if (principal.mayWrite) return LOCK;
      return principal.mayRead ? INSPECT : NOTHING;
    // Access keys sign requests to the configuration API and nothing else.
    case 'access-key':
    case 'anonymous':
      return NOTHING;
  }
}
