import { type Access } from '../http/surface-controller.decorator.js';
import { createAccessKey } from './access-key.js';
import { isAllowed } from './native-access.js';
import { oidcPrincipal } from './oidc-access.js';
import {
  accessKeyPrincipal,
  ANONYMOUS_CONFIG_PRINCIPAL,
  DAPR_PRINCIPAL,
  NOBODY_PRINCIPAL,
  type Principal,
  userPrincipal,
} from './principal.js';

const EVERY_ACCESS: Access[] = [
  'nothing',
  'surface',
  'read',
  'write',
  'inspect',
  'lock',
  'content-locks',
  'force',
  'audit',
];
const ALWAYS: Access[] = ['nothing', 'surface'];
const user = (role: 'reader' | 'editor' | 'manager'): Principal => userPrincipal({ name: 'u', role, fullName: 'u' });
const oidc = (claims: object): Principal => oidcPrincipal({ sub: 's', ...claims });

describe('isAllowed', () => {
  it.each<[string, Principal, Access[]]>([
    ['a reader', user('reader'), ['inspect']],
    ['an editor', user('editor'), ['inspect', 'lock', 'content-locks']],
    ['a manager', user('manager'), ['inspect', 'lock', 'content-locks', 'force', 'audit']],
    ['a user without a role', { kind: 'user', name: 'u', mayRead: false, mayWrite: false }, []],
    ['a lock client', DAPR_PRINCIPAL, ['inspect', 'lock']],
    ['an owner by OIDC', oidc({ roles: 'owner' }), ['read', 'write', 'inspect', 'lock']],
    ['a reader by OIDC', oidc({ roles: 'reader' }), ['read', 'inspect']],
    ['somebody unknown by OIDC', oidc({ roles: 'manager' }), []],
    ['an owner by OIDC with one scope', oidc({ roles: 'owner', scp: 'KeyValue.Read' }), ['read']],
    [
      'an owner by OIDC for a user',
      oidc({ roles: 'owner', scp: 'user_impersonation' }),
      ['read', 'write', 'inspect', 'lock'],
    ],
    ['an access key', accessKeyPrincipal(createAccessKey('id', 'c2VjcmV0', false)), ['read', 'write']],
    ['anybody on an open configuration API', ANONYMOUS_CONFIG_PRINCIPAL, ['read', 'write']],
    ['anybody', NOBODY_PRINCIPAL, []],
  ])('allows %s exactly what the role has', (_, principal, allowed) => {
    expect(EVERY_ACCESS.filter((access) => isAllowed(principal, access))).toEqual([...ALWAYS, ...allowed]);
  });

  it('allows nobody what it does not know', () => {
    expect(isAllowed(user('manager'), 'other' as Access)).toBe(false);
  });
});
