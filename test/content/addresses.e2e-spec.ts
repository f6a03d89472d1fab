import { Dispatcher } from '../../src/http/dispatcher';
import { RESERVED_SEGMENTS } from '../../src/http/content/reserved-segments';
import { exchange } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { ContentHttp, USERS } from './content-http';

let app: TestApp;
let anybody: ContentHttp;
let alice: ContentHttp;

beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS });
  anybody = new ContentHttp(app.port);
  alice = anybody.as('alice');
  await alice.add('/', { '@type': 'Folder', id: 'a' });
  await alice.add('/a', { '@type': 'Folder', id: 'b(1)~$' });
  await alice.add('/a/b(1)~$', { id: 'c' });
});
afterAll(() => app.close());

it('an object has one address and many spellings', async () => {
  const { json } = await anybody.get('/a/b(1)~$/c');
  expect(json['@id']).toBe(anybody.url('/a/b(1)~%24/c'));
  for (const path of [
    '/a/b(1)~%24/c',
    '/a/b%281%29%7E%24/%63',
    '//a//b(1)~$///c//',
    '/a/b(1)~$/c/',
    '/++api++/a/b(1)~$/c',
    '/++api++//a/b(1)~$/c/',
    '//++api++/a/b(1)~$/c',
    '/a/b(1)~$/c?x=/@lock',
  ]) {
    expect((await anybody.get(path)).json).toEqual(json);
  }
  for (const path of ['/', '//', '/++api++', '/++api++/', '/?x=1']) {
    expect((await anybody.get(path)).json['@id']).toBe(anybody.url(''));
  }
});

it.each([
  '/A',
  '/a/c',
  '/a/b(1)~$/c/d',
  '/++api++/++api++/a',
  '/a/../a',
  '/a/%2e',
  '/a%2Fb',
  '/a/%00',
  '/%00',
  '/a;x',
  '/a/kv',
])('%s is nothing, and says so', async (path) => {
  const { status, json, headers } = await anybody.get(path);
  expect([status, json.type]).toEqual([404, 'NotFound']);
  expect(json.message).toMatch(/^Resource not found: http/);
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
});

it('names the nearest object there is', async () => {
  const { json } = await anybody.get('/a/b(1)~$/nothing/at/all');
  expect(json).toEqual({
    type: 'NotFound',
    message: `Resource not found: ${anybody.url('/a/b(1)~%24/nothing/at/all')}`,
    context: anybody.url('/a/b(1)~%24'),
  });
});

it.each(['/a/%', '/a/%f', '/a/%ff', '/%c3%28', '/a/%ed%a0%80', '/a/%GG'])('%s cannot be read: 400', async (path) => {
  for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
    expect(await anybody.send(method, path)).toMatchObject({ status: 400, json: { type: 'BadRequest' } });
  }
});

it('views are told by their @, also encoded, and unknown ones are 404', async () => {
  for (const path of ['/@nothing', '/a/@nothing/more', '/a/%40nothing', '/a/@', '/a/@move/x']) {
    expect(await alice.post(path, {})).toMatchObject({ status: 404, json: { type: 'NotFound' } });
  }
  expect((await alice.post('/a/%40copy', {})).json.message).toBe(`Property 'source' is required`);
  expect((await alice.get('/a/@move')).status).toBe(405);
});

it('ids may be deep', async () => {
  let path = '';
  for (let depth = 0; depth < 40; depth++) path = await alice.add(path || '/', { '@type': 'Folder', id: 'x' });
  expect(path).toBe('/x'.repeat(40));
  expect((await anybody.get(path)).json.parent['@id']).toBe(anybody.url('/x'.repeat(39)));
  expect((await alice.delete('/x')).status).toBe(204);
});

it('a path of thousands of objects still works', async () => {
  const uid = (n: number): string => n.toString(16).padStart(32, 'z');
  await app.sql(
    `INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
       created_by, last_by, last_at)
     SELECT lpad(to_hex(n), 32, 'z'), CASE n WHEN 1 THEN $1 ELSE lpad(to_hex(n - 1), 32, 'z') END, 'y', 'Folder', '', '', '{}', n,
            nextval('content_version_seq'), now(), now(), 'x', 'x', now()
       FROM generate_series(1, 5000) n`,
    ['00000000000000000000000000000001'],
  );
  const deepest = await anybody.get('/y'.repeat(5000));
  expect([deepest.status, deepest.json.UID]).toEqual([200, uid(5000)]);
  expect(await alice.delete('/y')).toMatchObject({ status: 204 });
  expect(await app.sql(`SELECT FROM content_object WHERE id = 'y'`)).toEqual([]);
});

it('knows the first segments of all other surfaces', () => {
  const surfaces = new Set([...app.app.get(Dispatcher).routes()].map(({ surface }) => surface));
  const others = [...surfaces].filter(({ name }) => name !== 'content').flatMap(({ segments }) => segments);
  expect([...RESERVED_SEGMENTS].sort()).toEqual(others.sort());
});

it('addresses follow the request’s host, or PUBLIC_URL', async () => {
  const answer = await exchange(app.port, 'GET /a HTTP/1.1\r\nHost: cms.example:81\r\n\r\n');
  expect(JSON.parse(answer.body)['@id']).toBe('http://cms.example:81/a');
  const published = await startApp({ CMS_USERS: USERS, PUBLIC_URL: 'https://cms.example/site/' }, app);
  try {
    const { json } = await new ContentHttp(published.port).get('/a');
    expect(json['@id']).toBe('https://cms.example/site/a');
    expect(json.parent['@id']).toBe('https://cms.example/site');
  } finally {
    await published.close();
  }
});

describe('scripts of other origins', () => {
  it('are let in from everywhere while no origins are listed', async () => {
    const { status, headers } = await anybody.send('OPTIONS', '/a', { headers: { origin: 'https://cms.example' } });
    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-methods']).toBe('GET, HEAD, POST, PATCH, DELETE');
    const allowed = String(headers['access-control-allow-headers']).split(', ');
    for (const name of [
      'Accept',
      'Authorization',
      'Content-Type',
      'If-Match',
      'Lock-Token',
      'Prefer',
      'X-Plone-Unlock',
    ]) {
      expect(allowed).toContain(name);
    }
    const refused = await anybody.get('/nothing');
    expect(refused.headers['access-control-allow-origin']).toBe('*');
    expect(refused.headers['access-control-expose-headers']).toContain('ETag, Location');
  });

  it('are let in from the listed ones alone', async () => {
    const listed = await startApp({ CMS_USERS: USERS, CORS_ORIGINS: 'https://cms.example' }, app);
    try {
      const http = new ContentHttp(listed.port);
      const known = await http.send('OPTIONS', '/a', { headers: { origin: 'https://cms.example' } });
      expect([known.status, known.headers['access-control-allow-origin'], known.headers.vary]).toEqual([
        204,
        'https://cms.example',
        'Origin',
      ]);
      const unknown = await http.send('OPTIONS', '/a', { headers: { origin: 'https://other.example' } });
      expect([unknown.status, unknown.headers['access-control-allow-origin']]).toEqual([405, undefined]);
    } finally {
      await listed.close();
    }
  });
});
