import type { UserRole } from '../config/settings.js';
import type { AccessKey } from './access-key.js';
import type { User } from './user-directory.js';

/** Part of the rights on the configuration API, as a token's `scp` names it (Azure contract section 9.3). */
export type Scope = `KeyValue.${'Read' | 'Write' | 'Delete'}` | `Snapshot.${'Read' | 'Write' | 'Action'}`;

/**
 * Who a request comes from and what this caller may do on the configuration API. What it may do elsewhere follows from its kind and role:
 * see `native-access.ts`.
 */
export interface Principal {
  readonly kind: 'access-key' | 'anonymous' | 'user' | 'oidc' | 'dapr';
  /** What history and the audit log name as the actor: a key's id, a user's name or a token's subject. */
  readonly name: string;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  /** Narrows the two above to the routes that need one of these scopes; unset: all routes. */
  readonly scopes?: ReadonlySet<Scope>;
  /** Of a `user`, and only of one. */
  readonly role?: UserRole;
}

/** Everybody without credentials, where nothing is open to them but what is open to all. */
export const NOBODY_PRINCIPAL: Principal = Object.freeze({
  kind: 'anonymous',
  name: 'anonymous',
  mayRead: false,
  mayWrite: false,
});

/** Everybody, where `ALLOW_ANONYMOUS_CONFIG` opens the configuration API on loopback: as much as a read-write key. */
export const ANONYMOUS_CONFIG_PRINCIPAL: Principal = Object.freeze({
  kind: 'anonymous',
  name: 'anonymous',
  mayRead: true,
  mayWrite: true,
});

/** Whoever holds `DAPR_API_TOKEN`, or anyone on loopback while there is none: a lock client, without rights on configuration. */
export const DAPR_PRINCIPAL: Principal = Object.freeze({
  kind: 'dapr',
  name: 'dapr',
  mayRead: false,
  mayWrite: false,
});

/** Azure contract section 9.1: read-only keys may read everything and change nothing. */
export function accessKeyPrincipal(key: AccessKey): Principal {
  return { kind: 'access-key', name: key.id, mayRead: true, mayWrite: !key.isReadOnly };
}

/** Somebody who logged in. The configuration API knows keys and tokens of an issuer, no users. */
export function userPrincipal({ name, role }: User): Principal {
  return { kind: 'user', name, role, mayRead: false, mayWrite: false };
}
