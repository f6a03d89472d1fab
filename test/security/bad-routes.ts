import * as fc from 'fast-check';
import { type OpenAPIObject } from '@nestjs/swagger';
import { describedPath, openApiDocument } from '../../src/openapi/documentation';
import { Dispatcher } from '../../src/http/dispatcher';
import { type TestApp } from '../support/start-app';
import { type SurfaceName } from './answer-shapes';
import { type BadRequest, type Sender } from './bad-http';
import { body, contentType, header, nastyText, pathPiece, queryParameter } from './nasty';

/** Bad requests to one route. */
export interface BadRoute {
  readonly name: string;
  readonly surface: SurfaceName;
  readonly requests: fc.Arbitrary<BadRequest>;
}

/**
 * What some names are usually given, as text: a request of which everything is bad gets no further than its first fault. A name that is
 * not here is only ever given bad values.
 */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  key: ['target', 'target', 'target*'],
  name: ['target'],
  label: ['prod'],
  tags: ['env=prod'],
  snapshot: ['target'],
  after: ['dGFyZ2V0Cg=='],
  $select: ['key,value'],
  status: ['ready', 'archived'],
  storeName: ['lockstore'],
  store: ['lockstore'],
  resource: ['target', 'fresh'],
  owner: ['holder', 'other'],
  state: ['held', 'free'],
  limit: ['10'],
  force: ['true', 'false'],
  reason: ['because'],
  since: ['2020-01-01T00:00:00Z'],
  surface: ['lock'],
  uid: ['00000000000000000000000000000000'],
  type: ['Document'],
  id: ['rita'],
  appid: ['latchkey'],
  expand: ['navigation'],
};

/** The same for members of bodies, as JSON; the first is the one that usually stands there. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  value: ['"v"', 'null'],
  content_type: ['"text/plain"'],
  tags: ['{"env":"prod"}', '[]', '["env=prod"]'],
  description: ['"text"'],
  filters: ['[{"key":"target*"}]'],
  composition_type: ['"key"', '"key_label"'],
  retention_period: ['3600', '7776000'],
  status: ['"archived"', '"ready"'],
  resourceId: ['"target"', '"fresh"'],
  lockOwner: ['"holder"', '"other"'],
  expiryInSeconds: ['60', '"60"', '6e1'],
  owner: ['"holder"', '"other"'],
  // Nobody is to wait in line here: that is no stall but takes its time.
  ttlMs: ['60000'],
  waitMs: ['0', '5'],
  metadata: ['{"a":1}', 'null'],
  fence: ['"1"', '"9999"'],
  '@type': ['"Document"', '"Folder"'],
  title: ['"Title"'],
  id: ['"fresh"'],
  timeout: ['600'],
  stealable: ['true', 'false'],
  source: ['"/target"', '["/target"]'],
  ordering: ['{"obj_id":"target","delta":"top"}'],
  login: ['"rita"'],
  password: ['"wrong"'],
};

/** `__proto__` is one of the names. */
const valuesOf = (table: Readonly<Record<string, readonly string[]>>, name: string): readonly string[] | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** Media types of bodies that the surfaces take; Dapr and content take any. */
const JSON_TYPE = 'application/json';

/** Every route of every surface, from the table of routes; names of parameters and members are those that are documented. */
export function badRoutes({ app }: TestApp): BadRoute[] {
  const document = openApiDocument(app);
  const routes: BadRoute[] = [];
  for (const { surface, route } of app.get(Dispatcher).routes()) {
    const name = surface.name as SurfaceName;
    const names = documentedNames(document, describedPath(name, route.pattern), route.method);
    routes.push(badRoute(name, route.method, route.pattern, names));
    if (route.method === 'GET') routes.push(badRoute(name, 'HEAD', route.pattern, names));
  }
  // Pages that the dispatcher leaves to express are in no table.
  const cold = new Set([...app.get(Dispatcher).routes()].flatMap(({ surface }) => surface.coldSegments ?? []));
  for (const segment of cold) routes.push(badRoute('native', 'GET', `${segment}/*rest`, NO_NAMES));
  return routes;
}

interface Names {
  readonly query: readonly string[];
  readonly headers: readonly string[];
  readonly members: readonly string[];
}
const NO_NAMES: Names = { query: [], headers: [], members: [] };

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

function documentedNames(document: OpenAPIObject, path: string, method: string): Names {
  const operation = document.paths[path]?.[method.toLowerCase() as 'get'];
  if (!operation) return NO_NAMES;
  const parameters = (operation.parameters ?? []).flatMap((one) => ('name' in one ? [one] : []));
  const ofKind = (kind: string): string[] => parameters.filter((one) => one.in === kind).map(({ name }) => name);
  const { requestBody } = operation;
  const contents = requestBody && 'content' in requestBody ? Object.values(requestBody.content) : [];
  const members = contents.flatMap(({ schema }) => membersOf(document, schema as Schema | undefined));
  return { query: ofKind('query'), headers: ofKind('header'), members };
}

function membersOf(document: OpenAPIObject, schema: Schema | undefined): string[] {
  if (!schema) return [];
  const { $ref, properties = {}, allOf = [], oneOf = [], anyOf = [] } = schema;
  const referred = $ref && document.components?.schemas?.[$ref.split('/').at(-1)!];
  const parts = [...allOf, ...oneOf, ...anyOf, ...(referred ? [referred as Schema] : [])];
  return [...Object.keys(properties), ...parts.flatMap((part) => membersOf(document, part))];
}

function badRoute(surface: SurfaceName, method: string, pattern: string, names: Names): BadRoute {
  const known = (name: string): readonly string[] => valuesOf(KNOWN, name) ?? [];
  const members = new Map(
    [...new Set(names.members.length > 0 ? names.members : ['x'])].map((name) => [name, valuesOf(MEMBERS, name) ?? []]),
  );
  const hasBody = names.members.length > 0 || method === 'POST' || method === 'PUT' || method === 'PATCH';
  const target = fc
    .tuple(
      pathOf(surface, pattern),
      queryOf(surface, ['x', '', '__proto__', ...names.query, ...names.query, ...names.query], known),
    )
    .map(([path, query]) => (query === '' ? path : `${path}?${query}`));
  const requests = fc
    .record({
      method: fc.oneof(
        { weight: 30, arbitrary: fc.constant(method) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'),
        },
      ),
      target,
      headers: fc.array(header(names.headers), { maxLength: 3 }),
      type: fc.oneof({ weight: 12, arbitrary: fc.constant(JSON_TYPE) }, { weight: 2, arbitrary: contentType }),
      body: hasBody
        ? body(members)
        : fc.option(body(members), { nil: undefined, freq: 2 }).map((text) => (text === '' ? undefined : text)),
      chunkBytes: fc.oneof(
        { weight: 6, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom(1_000, 64_000) },
      ),
      sender: fc.oneof(
        { weight: 20, arbitrary: fc.constant<Sender>('master') },
        { weight: 1, arbitrary: fc.constantFrom<Sender>('reader', 'nobody') },
      ),
    })
    .map(({ type, ...request }) => ({
      ...request,
      headers: request.body === undefined ? request.headers : ([['Content-Type', type], ...request.headers] as const),
    }));
  return { name: `${surface} ${method} ${pattern}`, surface, requests };
}

/** What a variable part of a path stands for: names that are there, names of nothing, and anything at all. */
function pathOf(surface: SurfaceName, pattern: string): fc.Arbitrary<string> {
  const segments = pattern.split('/').map((segment) => {
    if (!/^[:*]/.test(segment)) return fc.constant(segment);
    const good = valuesOf(KNOWN, segment.slice(1)) ?? ['target'];
    return fc.oneof({ weight: 1, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: pathPiece });
  });
  const tail = fc.tuple(...segments).map((parts) => parts.join('/'));
  if (surface !== 'content') {
    return fc
      .tuple(fc.constantFrom(...Array.from({ length: 12 }, () => '/'), '//', '/./', 'http://other.example/'), tail)
      .map((parts) => parts.join(''));
  }
  const object = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('/target', '/folder/page', '/folder', '') },
    { weight: 2, arbitrary: pathPiece.map((piece) => `/${piece}`) },
    { weight: 1, arbitrary: pathPiece.map((piece) => `/folder/${piece}`) },
  );
  return fc
    .tuple(fc.constantFrom('', '', '', '/++api++', '/++api++/', '/++api++/++api++'), object, tail)
    .map(([prefix, path, view]) => `${prefix}${path}${view === 'object' ? '' : `/${view}`}` || '/');
}

function queryOf(
  surface: SurfaceName,
  names: readonly string[],
  known: (name: string) => readonly string[],
): fc.Arbitrary<string> {
  const isAzure = surface === 'azure';
  const others = names.filter((name) => name !== 'api-version');
  const version = isAzure
    ? fc.oneof(
        {
          weight: 10,
          arbitrary: fc.constantFrom(
            'api-version=2023-11-01',
            'api-version=2024-09-01',
            'api-version=2026-04-01',
            'API-Version=2023-10-01',
          ),
        },
        { weight: 1, arbitrary: nastyText.map((text) => `api-version=${encodeURIComponent(text.toWellFormed())}`) },
        { weight: 1, arbitrary: fc.constantFrom('', 'api-version', 'api-version=1.0&api-version=2023-11-01') },
      )
    : fc.constant('');
  return fc
    .tuple(version, fc.array(queryParameter(others, known), { maxLength: 3 }))
    .map(([first, rest]) => [...(first === '' ? [] : [first]), ...rest].join('&'));
}
