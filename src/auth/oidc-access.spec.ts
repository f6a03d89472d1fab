import { oidcPrincipal, scopesFor } from './oidc-access.js';

const rightsOf = (claims: object): { mayRead: boolean; mayWrite: boolean } => {
  const { mayRead, mayWrite } = oidcPrincipal({ sub: 's', ...claims });
  return { mayRead, mayWrite };
};
const WRITER = { mayRead: true, mayWrite: true };
const READER = { mayRead: true, mayWrite: false };
const NOBODY = { mayRead: false, mayWrite: false };

describe('oidcPrincipal', () => {
  it('is named by the subject alone', () => {
    expect(oidcPrincipal({ sub: 's', name: 'Somebody', preferred_username: 'x', roles: 'owner' })).toEqual({
      kind: 'oidc',
      name: 's',
      ...WRITER,
    });
  });

  it.each([
    ['App Configuration Data Owner', WRITER],
    ['owner', WRITER],
    ['App Configuration Data Reader', READER],
    ['READER', READER],
    [['x', 'reader'], READER],
    [['App Configuration Data Reader', 'App Configuration Data Owner'], WRITER],
    ['reader owner', NOBODY],
    ['App Configuration Contributor', NOBODY],
    [[['owner']], NOBODY],
    [[{ owner: true }, 1, null], NOBODY],
    [true, NOBODY],
    ['', NOBODY],
    [undefined, NOBODY],
  ])('has by the roles %j the rights %j', (roles, rights) => {
    expect(rightsOf({ roles })).toEqual(rights);
  });

  it.each([
    [undefined, undefined],
    ['user_impersonation', undefined],
    [['KeyValue.Read', 'user_impersonation'], undefined],
    ['KeyValue.Read openid Snapshot.Action', ['KeyValue.Read', 'Snapshot.Action']],
    [
      ['KeyValue.Write', 'KeyValue.Delete'],
      ['KeyValue.Write', 'KeyValue.Delete'],
    ],
    ['openid keyvalue.read', []],
    ['', []],
    [null, []],
    [7, []],
  ])('has with scp %j the scopes %j', (scp, scopes) => {
    const principal = oidcPrincipal({ sub: 's', roles: 'owner', scp });
    expect(principal.scopes && [...principal.scopes]).toEqual(scopes);
    expect(principal).toMatchObject(WRITER);
  });
});

describe('scopesFor', () => {
  it.each([
    ['GET', 'kv', 'read', 'KeyValue.Read'],
    ['GET', 'kv/*key', 'read', 'KeyValue.Read'],
    ['PUT', 'kv/*key', 'write', 'KeyValue.Write'],
    ['DELETE', 'kv/*key', 'write', 'KeyValue.Delete'],
    ['PUT', 'locks/*key', 'write', 'KeyValue.Write'],
    ['DELETE', 'locks/*key', 'write', 'KeyValue.Write'],
    ['GET', 'keys', 'read', 'KeyValue.Read'],
    ['GET', 'labels', 'read', 'KeyValue.Read'],
    ['GET', 'revisions', 'read', 'KeyValue.Read'],
    ['GET', 'snapshots', 'read', 'Snapshot.Read'],
    ['GET', 'snapshots/:name', 'read', 'Snapshot.Read'],
    ['PUT', 'snapshots/:name', 'write', 'Snapshot.Write and KeyValue.Read'],
    ['PATCH', 'snapshots/:name', 'write', 'Snapshot.Action'],
    ['GET', 'operations', 'read', 'Snapshot.Read'],
  ])('%s %s needs %s: %s', (method, pattern, access, scope) => {
    expect(scopesFor({ method, pattern, access }, false).join(' and ')).toBe(scope);
  });

  it.each([
    ['GET', 'kv', 'read', 'Snapshot.Read'],
    ['GET', 'kv/*key', 'read', 'KeyValue.Read'],
    ['GET', 'keys', 'read', 'KeyValue.Read'],
    ['PUT', 'kv/*key', 'write', 'KeyValue.Write'],
  ])('%s %s with snapshot= needs %s: %s', (method, pattern, access, scope) => {
    expect(scopesFor({ method, pattern, access }, true)).toEqual([scope]);
  });
});
