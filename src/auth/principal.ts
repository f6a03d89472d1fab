import type { AccessKey } from './access-key.js';

/** Part of the rights on the configuration API, as a token's `scp` names it (Azure contract section 9.3). */
export type Scope = `KeyValue.${'Read' | 'Write' | 'Delete'}` | `Snapshot.${'Read' | 'Write' | 'Action'}`;

/** Who a request comes from and what this caller may do on the configuration API. */
export interface Principal {
  readonly kind: 'access-key' | 'anonymous' | 'user' | 'oidc';
  /** What history and the audit log name as the actor: a key's id, a user's name or a token's subject. */
  readonly name: string;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  /** Narrows the two above to the routes that need one of these scopes; unset: all routes. */
  readonly scopes?: ReadonlySet<Scope>;
}

/** Everybody, where `ALLOW_ANONYMOUS_CONFIG` opens the configuration API on loopback: as much as a read-write key. */
export const ANONYMOUS_CONFIG_PRINCIPAL: Principal = Object.freeze({
  kind: 'anonymous',
  name: 'anonymous',
  mayRead: true,
  mayWrite: true,
});

/** Azure contract section 9.1: read-only keys may read everything and change nothing. */
export function accessKeyPrincipal(key: AccessKey): Principal {
  return { kind: 'access-key', name: key.id, mayRead: true, mayWrite: !key.isReadOnly };
}
