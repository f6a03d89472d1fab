import { type Logger } from 'pino';
import { Readiness } from '../../src/health/readiness';
import { LOGGER } from '../../src/logging/logger';
import { exchange, type RawAnswer, requestText } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { type DaprAnswer, DaprClient, expectRefusal, expectResult, LOCKED, NOT_HELD, NOT_LOCKED } from './dapr-client';

const BODY = JSON.stringify({ resourceId: 'route', lockOwner: 'me', expiryInSeconds: 60 });
const DIRECT_INVOKE = 'failed getting app id either from the URL path or the header dapr-app-id';

let app: TestApp;
let dapr: DaprClient;
beforeAll(async () => {
  app = await startApp({ APP_ID: 'orders' });
  dapr = new DaprClient(app.port);
});
afterAll(async () => {
  dapr.close();
  await app.close();
});
afterEach(() => jest.restoreAllMocks());

/** 204 without anything but the connection's own headers. */
function expectNothing(answer: DaprAnswer): void {
  expect(answer.status).toBe(204);
  expect(answer.text).toBe('');
  expect(Object.keys(answer.headers).sort()).toEqual(['connection', 'date', 'keep-alive']);
}

/** Distributed-lock contract section 1. */
describe('the paths', () => {
  it('of the calls work under v1.0-alpha as well, on the same locks', async () => {
    const alias = (verb: string) => dapr.send('POST', `/v1.0-alpha/${verb}/lockstore`, BODY);
    expectResult(await alias('lock'), LOCKED);
    expectResult(await dapr.send('POST', '/v1.0-alpha1/lock/lockstore', BODY), NOT_LOCKED);
    expectResult(await alias('unlock'), '{"status":0}');
  });

  it.each([
    '//v1.0-alpha1/unlock/lockstore',
    '/v1.0-alpha1//unlock///lockstore',
    '/v1.0-alpha1/unlock/lockstore/',
    '/v1.0-alpha1/unlock/lockstore//',
    '/v1.0-alpha1/unlock/lockstore?any=query',
    '/v1.0-alpha1/unlock/lockstore/?a=//b/',
    '/v1.0-alpha1/unlock/lock%73tore',
    'http://elsewhere/v1.0-alpha1/unlock/lockstore',
  ])('may be written %s', async (target) => expectResult(await dapr.send('POST', target, BODY), NOT_HELD));

  it.each([
    ['POST', '/v1.0/lock/lockstore'],
    ['POST', '/v1.0-alpha1/lock/lockstore/more'],
    ['POST', '/v1.0-alpha1/lock'],
    ['POST', '/v1.0-alpha1/lock/'],
    ['POST', '/v1.0-alpha1/Lock/lockstore'],
    ['POST', '/v1.0-alpha1'],
    ['GET', '/v1.0'],
    ['GET', '/v1.0/'],
    ['GET', '/v1.0/state/store/key'],
    ['GET', '/v1.0-alpha1/metadata'],
    ['GET', '/v1.0-alpha/healthz'],
    ['GET', '/v1.0-alpha1/lock/lockstore'],
    ['PUT', '/v1.0-alpha1/lock/lockstore'],
    ['DELETE', '/v1.0-alpha1/unlock/lockstore'],
    ['PATCH', '/v1.0-alpha/lock/lockstore'],
    ['OPTIONS', '/v1.0-alpha1/lock/lockstore'],
    ['POST', '/v1.0/metadata'],
    ['GET', '/v1.0/metadata/key'],
    ['POST', '/v1.0/healthz'],
    ['GET', '/v1.0/healthz/inbound'],
  ])('have no %s %s', async (method, target) => {
    const answer = await dapr.send(method, target, method === 'GET' ? undefined : BODY);
    expectRefusal(answer, 404, 'ERR_DIRECT_INVOKE', DIRECT_INVOKE);
    expect(answer.headers['allow']).toBeUndefined();
  });

  it.each(['/v1.0/healthz', '/v1.0/metadata', '/v1.0-alpha1/lock/lockstore'])('have no HEAD %s', async (target) => {
    expect((await dapr.send('HEAD', target)).status).toBe(404);
  });

  it.each([
    ['no+such', 'no such'],
    ['no%20such', 'no such'],
    ['no%2Bsuch', 'no+such'],
    ['a%2Fb', 'a/b'],
    ['%C3%A9%E6%97%A5', 'é日'],
    ['%2520', '%20'],
    ['lockStore', 'lockStore'],
  ])('name the store decoded as queries are: %s', async (raw, name) => {
    const answer = await dapr.send('POST', `/v1.0-alpha1/lock/${raw}`, BODY);
    expectRefusal(answer, 400, 'ERR_LOCK_STORE_NOT_FOUND', `lock store ${name} not found`);
  });

  it.each([
    ['POST', '/v1.0-alpha1/lock/a%zz', 'storeName', '%zz'],
    ['POST', '/v1.0-alpha1/unlock/a%2', 'storeName', '%2'],
    ['PUT', '/v1.0/metadata/a%', 'key', '%'],
  ])('may hold no bad escape: %s %s', async (method, target, parameter, escape) => {
    // It is looked at before the body.
    const answer = await dapr.send(method, target, '{{{');
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.text).toBe(
      `failed to unescape request parameter "${parameter}". Error: invalid URL escape "${escape}"\n`,
    );
  });

  it('are refused in Dapr’s shape where the pipeline refuses them', async () => {
    const answer = await dapr.send('GET', `/v1.0/${'x'.repeat(20_000)}`);
    expectRefusal(answer, 414, 'ERR_URI_TOO_LONG', 'The request target is too long');
  });
});

/** Distributed-lock contract section 6. */
describe('health', () => {
  it.each(['/v1.0/healthz', '/v1.0/healthz/outbound', '/v1.0/healthz?appid=orders', '/v1.0/healthz/outbound?appid=x'])(
    'is 204 without a body: %s',
    async (target) => expectNothing(await dapr.send('GET', target)),
  );

  it.each(['/v1.0/healthz?appid=other', '/v1.0/healthz?appid=', '/v1.0/healthz?a=1&appid=Orders'])(
    'asks for another application: %s',
    async (target) => {
      const answer = await dapr.send('GET', target);
      expectRefusal(answer, 500, 'ERR_HEALTH_APPID_NOT_MATCH', 'dapr app-id does not match');
    },
  );

  it('is 500 while the service is not ready', async () => {
    jest.spyOn(app.app.get(Readiness), 'check').mockResolvedValue('database-unreachable');
    const healthz = await dapr.send('GET', '/v1.0/healthz?appid=other');
    expectRefusal(healthz, 500, 'ERR_HEALTH_NOT_READY', 'dapr is not ready: [database-unreachable]');
    const outbound = await dapr.send('GET', '/v1.0/healthz/outbound');
    expectRefusal(outbound, 500, 'ERR_OUTBOUND_HEALTH_NOT_READY', 'dapr outbound is not ready');
  });

  it('is a failure in the log only where something failed', async () => {
    const failures = jest.spyOn(app.app.get<Logger>(LOGGER), 'error');
    await dapr.send('GET', '/v1.0/healthz?appid=other');
    expect(failures).not.toHaveBeenCalled();
    jest.spyOn(app.app.get(Readiness), 'check').mockRejectedValue(new Error('a defect'));
    expect((await dapr.send('GET', '/v1.0/healthz')).status).toBe(500);
    expect(failures).toHaveBeenCalledTimes(1);
  });
});

/** Distributed-lock contract section 5. */
describe('with DAPR_API_TOKEN', () => {
  const TOKEN = 'the-token';
  let guarded: TestApp;
  let client: DaprClient;
  beforeAll(async () => {
    const env = { DAPR_API_TOKEN: TOKEN, CORS_ORIGINS: 'https://app.example', FAILED_LOGINS_PER_MINUTE: '60' };
    guarded = await startApp(env);
    client = new DaprClient(guarded.port);
  });
  afterAll(async () => {
    client.close();
    await guarded.close();
  });

  const REQUESTS: [method: string, target: string][] = [
    ['POST', '/v1.0-alpha1/lock/lockstore'],
    ['POST', '/v1.0-alpha/unlock/lockstore'],
    ['GET', '/v1.0/metadata'],
    ['PUT', '/v1.0/metadata/key'],
    ['GET', '/v1.0/unknown'],
    ['DELETE', '/v1.0-alpha1/lock/lockstore'],
    ['POST', '/v1.0-alpha1/lock/a%zz'],
    ['POST', '/v1.0/healthz'],
    ['HEAD', '/v1.0/healthz'],
    ['OPTIONS', '/v1.0/metadata'],
  ];

  it.each(REQUESTS)('%s %s is refused without it, before anything else', async (method, target) => {
    const attempts: Record<string, string>[] = [
      {},
      { 'Dapr-Api-Token': 'the-tokens' },
      { 'dapr-api-token': 'The-token' },
      { 'dapr-api-token': '' },
    ];
    for (const headers of attempts) {
      const text = requestText(method, target, { Host: 'localhost', ...headers }, method === 'GET' ? undefined : '{{{');
      const answer: RawAnswer = await exchange(guarded.port, text);
      expect(answer.status).toBe(401);
      expect(answer.headers.slice(0, 2)).toEqual([
        ['Content-Type', 'text/plain; charset=utf-8'],
        ['X-Content-Type-Options', 'nosniff'],
      ]);
      if (method !== 'HEAD') expect(answer.body).toBe('invalid api token\n');
    }
  });

  it('serves whoever has it', async () => {
    const headers = { 'dapr-api-token': TOKEN };
    expectResult(await client.send('POST', '/v1.0-alpha1/lock/lockstore', BODY, headers), LOCKED);
    expect((await client.send('GET', '/v1.0/metadata', undefined, headers)).status).toBe(200);
    const unknown = await client.send('GET', '/v1.0/unknown', undefined, headers);
    expectRefusal(unknown, 404, 'ERR_DIRECT_INVOKE', DIRECT_INVOKE);
  });

  it.each(['/v1.0/healthz', '//v1.0//healthz/', '/v1.0/healthz/outbound', '/v1.0/healthz?appid=latchkey'])(
    'tells everybody of its health: %s',
    async (target) => {
      const answer = await client.send('GET', target);
      expect([answer.status, answer.text]).toEqual([204, '']);
    },
  );

  it('answers preflights of listed origins before it looks for the token', async () => {
    const origin = { origin: 'https://app.example', 'access-control-request-method': 'POST' };
    const preflight = await client.send('OPTIONS', '/v1.0-alpha1/lock/lockstore', undefined, origin);
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-methods': 'GET, POST, PUT',
      'access-control-allow-headers': 'Content-Type, dapr-api-token, traceparent, tracestate',
      vary: 'Origin',
    });
    const refused = await client.send('GET', '/v1.0/metadata', undefined, origin);
    expect(refused.status).toBe(401);
    expect(refused.headers['access-control-allow-origin']).toBe('https://app.example');
    const other = await client.send('OPTIONS', '/v1.0/metadata', undefined, { origin: 'https://other.example' });
    expect(other.status).toBe(401);
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
    expect(other.headers['vary']).toBe('Origin');
  });

  it('counts wrong tokens by address, and never holds up the right one', async () => {
    const strict = await startApp({ DAPR_API_TOKEN: TOKEN, FAILED_LOGINS_PER_MINUTE: '2' }, guarded);
    const impatient = new DaprClient(strict.port);
    const read = (headers: Record<string, string>) => impatient.send('GET', '/v1.0/metadata', undefined, headers);
    for (let missing = 0; missing < 5; missing++) expect((await read({})).status).toBe(401);
    const statuses = [];
    for (let wrong = 0; wrong < 4; wrong++) statuses.push((await read({ 'dapr-api-token': 'wrong' })).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
    const refused = await read({ 'dapr-api-token': 'wrong' });
    expectRefusal(refused, 429, 'ERR_TOO_MANY_FAILED_LOGINS', 'Too many failed logins');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await read({ 'dapr-api-token': TOKEN })).status).toBe(200);
    impatient.close();
    await strict.close();
  });
});

describe('without CORS_ORIGINS', () => {
  it('no origin is told anything', async () => {
    const origin = { origin: 'https://app.example' };
    for (const method of ['GET', 'OPTIONS']) {
      const { headers } = await dapr.send(method, '/v1.0/healthz', undefined, origin);
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control') || name === 'vary')).toEqual([]);
    }
  });
});
