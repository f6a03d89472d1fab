import { type JWTPayload } from 'jose';
import { type Route } from '../http/route-table.js';
import { type Principal, type Scope } from './principal.js';

/** What the claims of a believed token allow (docs/operations.md, "Bearer tokens"). */

/** Values of the claim `roles`, in lower case: Azure's own names, and short ones for issuers whose role names have no blanks. */
const WRITER_ROLES = new Set(['app configuration data owner', 'owner']);
const READER_ROLES = new Set(['app configuration data reader', 'reader']);
const SCOPES: ReadonlySet<string> = new Set<Scope>([
  'KeyValue.Read',
  'KeyValue.Write',
  'KeyValue.Delete',
  'Snapshot.Read',
  'Snapshot.Write',
  'Snapshot.Action',
]);
/** A program that acts for a user, with all that the user's role allows. */
const EVERY_SCOPE = 'user_impersonation';

/** A token without a usable role has a principal too: it is known, and allowed nothing. */
export function oidcPrincipal(claims: JWTPayload & { sub: string }): Principal {
  const roles = textsOf(claims['roles']).map((role) => role.toLowerCase());
  const mayWrite = roles.some((role) => WRITER_ROLES.has(role));
  const mayRead = mayWrite || roles.some((role) => READER_ROLES.has(role));
  const principal = { kind: 'oidc' as const, name: claims.sub, mayRead, mayWrite };
  const scopes = scopesOf(claims['scp']);
  return scopes === undefined ? principal : { ...principal, scopes };
}

/** Contract section 9.3. Undefined: a token without `scp` was given to a program itself, which its role alone describes. */
function scopesOf(claim: unknown): ReadonlySet<Scope> | undefined {
  if (claim === undefined) return undefined;
  const named = textsOf(claim).flatMap((text) => text.split(' '));
  if (named.includes(EVERY_SCOPE)) return undefined;
  return new Set(named.filter((scope): scope is Scope => SCOPES.has(scope)));
}

/** Issuers write a claim of several values as an array, and often one of a single value as a text. */
function textsOf(claim: unknown): string[] {
  return [claim].flat().filter((each) => typeof each === 'string');
}

/**
 * The scopes that a request to the configuration API needs, all of them, for tokens that name scopes (contract section 2.1).
 *
 * @param listsSnapshot what the route of the list of key-values is asked for
 */
export function scopesFor(
  { method, pattern, access }: Pick<Route, 'method' | 'pattern' | 'access'>,
  listsSnapshot: boolean,
): readonly Scope[] {
  const [collection] = pattern.split('/');
  if (collection === 'snapshots' || collection === 'operations') {
    if (access !== 'write') return ['Snapshot.Read'];
    // Archiving and recovering is Azure's "archive/action"; making one copies key-values to where Snapshot.Read shows them.
    return method === 'PATCH' ? ['Snapshot.Action'] : ['Snapshot.Write', 'KeyValue.Read'];
  }
  if (access !== 'write') return [pattern === 'kv' && listsSnapshot ? 'Snapshot.Read' : 'KeyValue.Read'];
  // DELETE /locks/{key} clears a flag of the key-value and deletes nothing.
  return [method === 'DELETE' && collection === 'kv' ? 'KeyValue.Delete' : 'KeyValue.Write'];
}
