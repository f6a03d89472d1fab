import { type Server } from 'node:http';
import { type Socket } from 'node:net';
import { type Logger } from 'pino';
import { Dispatcher } from '../../src/http/dispatcher';
import { LOGGER } from '../../src/logging/logger';
import { exchange, type RawAnswer, RawConnection, requestText, valueOf } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

let app: TestApp;
let server: Server;
let host: string;
let failures: jest.SpyInstance;

beforeAll(async () => {
  app = await startApp();
  server = app.app.getHttpServer();
  host = `127.0.0.1:${app.port}`;
  failures = jest.spyOn(app.app.get<Logger>(LOGGER), 'error');
});
afterAll(() => app.close());
afterEach(() => {
  for (const connection of opened.splice(0)) connection.destroy();
  expect(failures.mock.calls.splice(0)).toEqual([]);
});

const opened: RawConnection[] = [];
async function open(): Promise<RawConnection> {
  const connection = await RawConnection.open(app.port);
  opened.push(connection);
  return connection;
}

/** Text of a signed request. */
function signed(method: string, target: string, body?: string, extra: Record<string, string> = {}): string {
  const bytes = body === undefined ? undefined : Buffer.from(body, 'latin1');
  const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' };
  return requestText(
    method,
    target,
    { Host: host, ...type, ...extra, ...app.azure.sign(method, target, bytes, host) },
    body,
  );
}
const list = (extra?: Record<string, string>): string => signed('GET', '/kv?api-version=1.0', undefined, extra);
const lines = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '']));
const storedKeys = async (): Promise<unknown[]> => (await app.sql('SELECT key FROM key_value')).map(({ key }) => key);
const connections = (): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

describe('a header section', () => {
  it('of a little less than 32 KB is read', async () => {
    expect((await exchange(app.port, list({ 'x-long': 'a'.repeat(31_000) }))).status).toBe(200);
  });

  it.each([
    ['one header', { 'x-long': 'a'.repeat(33_000) }],
    ['many headers', Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`x-${i}`, 'a'.repeat(240)]))],
    ['one name', { ['x'.repeat(33_000)]: 'a' }],
  ])('of more than 32 KB in %s is 431 and ends the connection', async (_what, extra) => {
    const connection = await open();
    connection.send(list(extra));
    expect(await connection.answer()).toMatchObject({ status: 431, body: '' });
    expect(await connection.closed()).toBe('');
  });

  it('of 200 lines is read, and of 201 is 431', async () => {
    // A signed request has a Host and three lines of credentials.
    expect((await exchange(app.port, list(lines(196)))).status).toBe(200);
    const answer = await exchange(app.port, list(lines(197)));
    expect(answer).toMatchObject({ status: 431, body: '' });
    expect(valueOf(answer, 'x-ms-request-id')).toBeDefined();
  });

  it.each(['/healthz', '/', '/++api++/x'])('of 201 lines is 431 on %s too', async (path) => {
    const answer = await exchange(app.port, requestText('GET', path, { Host: host, ...lines(200) }));
    expect(answer.status).toBe(431);
    expect(JSON.parse(answer.body)).toMatchObject(path === '/healthz' ? { status: 431 } : { type: 'HeadersTooLarge' });
  });
});

describe('a request target', () => {
  it('of 8 KB is read', async () => {
    const answer = await exchange(app.port, signed('GET', `/kv?api-version=1.0&key=${'a'.repeat(8_192)}`));
    expect(answer.status).toBe(200);
  });

  it.each([17_000, 30_000])('of %i characters is 414', async (length) => {
    const query = await exchange(app.port, signed('GET', `/kv?api-version=1.0&key=${'a'.repeat(length)}`));
    expect(query).toMatchObject({ status: 414, body: '' });
    const path = await exchange(app.port, signed('PUT', `/kv/${'a'.repeat(length)}?api-version=1.0`, '{}'));
    expect(path).toMatchObject({ status: 414, body: '' });
    expect(valueOf(path, 'connection')).toBe('close');
  });

  it('that fills the header section is 431', async () => {
    expect((await exchange(app.port, list().replace('/kv?', `/kv?x=${'a'.repeat(40_000)}&`))).status).toBe(431);
  });
});

describe('a body', () => {
  const padded = (length: number): string => `{"value":"v","ignored":"${'x'.repeat(length - 26)}"}`;

  it('of exactly 64 KB is read, declared or chunked', async () => {
    const body = padded(65_536);
    expect(body).toHaveLength(65_536);
    expect((await exchange(app.port, signed('PUT', '/kv/64k?api-version=1.0', body))).status).toBe(200);
    expect((await exchange(app.port, chunked('/kv/64k?api-version=1.0', body))).status).toBe(200);
  });

  it.each([65_537, 200_000, 900_000])('of %i bytes is 413 to a client that sends all of it first', async (length) => {
    for (const text of [
      signed('PUT', '/kv/over?api-version=1.0', padded(length)),
      chunked('/kv/over', padded(length)),
    ]) {
      const connection = await open();
      connection.send(text);
      const answer = await connection.answer();
      expect(answer).toMatchObject({ status: 413, body: '' });
      expect(valueOf(answer, 'connection')).toBe('close');
      expect(await connection.closed()).toBe('');
    }
    expect(await storedKeys()).not.toContain('over');
  });

  it('that is only announced is 413 before any of it is sent', async () => {
    for (const length of ['65537', '99999999999999999999']) {
      const headers = { Host: host, 'Content-Length': length, Expect: '100-continue' };
      const connection = await open();
      connection.send(requestText('PUT', '/kv/over?api-version=1.0', headers));
      expect((await connection.answer('PUT')).status).toBe(length === '65537' ? 413 : 400);
    }
  });

  it('without an end is cut off', async () => {
    const connection = await open();
    connection.send(requestText('PUT', '/kv/endless?api-version=1.0', { Host: host, 'Transfer-Encoding': 'chunked' }));
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    for (let count = 0; count < 40; count++) connection.send(chunk);
    expect((await connection.answer('PUT')).status).toBe(413);
    expect(await connection.closed()).toBe('');
  });

  it('within the limit with an item beyond it is 413 and leaves the connection open', async () => {
    const connection = await open();
    connection.send(signed('PUT', '/kv/item?api-version=1.0', JSON.stringify({ value: 'v'.repeat(10_240) })));
    expect(await connection.answer('PUT')).toMatchObject({ status: 413, body: '' });
    connection.send(list());
    expect((await connection.answer()).status).toBe(200);
    expect(await storedKeys()).not.toContain('item');
  });
});

/** A signed put in three chunks. */
function chunked(target: string, body: string): string {
  const versioned = target.includes('?') ? target : `${target}?api-version=1.0`;
  const headers = {
    Host: host,
    'Content-Type': 'application/json',
    'Transfer-Encoding': 'chunked',
    ...app.azure.sign('PUT', versioned, Buffer.from(body), host),
  };
  const third = Math.ceil(body.length / 3);
  const chunks = [0, 1, 2].map((index) => body.slice(index * third, (index + 1) * third));
  const coded = [...chunks, ''].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  return requestText('PUT', versioned, headers) + coded.join('');
}

describe('a request that others on the way may read differently', () => {
  const put = (headers: string, body = 'ab'): string =>
    `PUT /kv/smuggled?api-version=1.0 HTTP/1.1\r\nHost: ${'x'}\r\n${headers}\r\n${body}`;
  it.each([
    ['Content-Length and Transfer-Encoding', put('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['Transfer-Encoding and Content-Length', put('Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', '0\r\n\r\n')],
    ['two Content-Lengths', put('Content-Length: 2\r\nContent-Length: 3\r\n')],
    ['a list of Content-Lengths', put('Content-Length: 2, 2\r\n')],
    ['a negative Content-Length', put('Content-Length: -2\r\n')],
    ['a signed Content-Length', put('Content-Length: +2\r\n')],
    ['an unknown Transfer-Encoding', put('Transfer-Encoding: xchunked\r\n')],
    ['chunked not last', put('Transfer-Encoding: chunked, identity\r\n')],
    ['a chunk without a size', put('Transfer-Encoding: chunked\r\n', 'zz\r\nab\r\n0\r\n\r\n')],
    ['a folded line', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n'],
    ['a blank before the colon', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-A : a\r\n\r\n'],
    ['bare line feeds', 'GET /healthz HTTP/1.1\nHost: x\n\n'],
    ['NUL in a header', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n'],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n'],
    ['a blank in the target', 'GET /healthz /kv HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['another protocol', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03'],
    ['HTTP/2 without an upgrade', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('by %s is 400 and ends the connection', async (_what, text) => {
    const connection = await open();
    connection.send(text);
    expect((await connection.answer()).status).toBe(400);
    await connection.closed();
    expect(await storedKeys()).not.toContain('smuggled');
  });

  it.each(['Host', 'host', 'HOST', 'Authorization', 'authorization', 'AUTHORIZATION'])(
    'by a second line of %s is refused and ends',
    async (name) => {
      const text = list();
      const [, value] = new RegExp(`^${name}: (.*)\r$`, 'im').exec(text)!;
      const connection = await open();
      connection.send(text.replace('\r\n', `\r\n${name}: ${value}\r\n`));
      const answer = await connection.answer();
      expect([400, 401]).toContain(answer.status);
      expect(answer.body).toBe('');
      expect(valueOf(answer, 'connection')).toBe('close');
      await connection.closed();
    },
  );
});

describe('a connection', () => {
  /** Sends two requests at once, of which the first is refused before its body is read. */
  const refusedThenPut = async (first: string): Promise<{ first: RawAnswer; rest: string }> => {
    const connection = await open();
    connection.send(first + signed('PUT', '/kv/second?api-version=1.0', '{"value":"v"}'));
    const answer = await connection.answer('PUT');
    const rest = await connection.closed();
    return { first: answer, rest };
  };

  it.each([
    [404, signedLater('PUT', '/api/nothing', 100_000)],
    [405, signedLater('PUT', '/kv', 100_000)],
    [413, signedLater('PUT', '/kv/a', 100_000)],
    [400, signedLater('PUT', '/kv/a?api-version=x', 100_000)],
    [204, signedLater('OPTIONS', '/kv/a', 100_000)],
  ])('ends after a %i whose body was not read, and nothing behind it is served', async (status, makeText) => {
    const { first, rest } = await refusedThenPut(makeText());
    expect(first.status).toBe(status);
    expect(valueOf(first, 'connection')).toBe('close');
    expect(rest).toBe('');
    expect(await storedKeys()).not.toContain('second');
    expect(await storedKeys()).not.toContain('inner');
  });

  it('stays in step after refusals whose body was read', async () => {
    const connection = await open();
    const inner = signed('PUT', '/kv/inner?api-version=1.0', '{"value":"v"}');
    const unsigned = requestText('PUT', '/kv/a?api-version=1.0', { Host: host }, inner);
    connection.send(unsigned);
    expect((await connection.answer('PUT')).status).toBe(401);
    connection.send(list());
    expect((await connection.answer()).status).toBe(200);
    expect(await storedKeys()).not.toContain('inner');
  });

  it('carries pipelined requests, answered in their order', async () => {
    const connection = await open();
    const targets = Array.from({ length: 20 }, (_, index) =>
      index % 3 === 0 ? '/healthz' : `/kv/p${index}?api-version=1.0`,
    );
    connection.send(
      targets.map((target) => signed('GET', target, undefined, { 'x-ms-correlation-request-id': target })).join(''),
    );
    for (const target of targets) {
      const answer = await connection.answer();
      if (target === '/healthz') expect(answer).toMatchObject({ status: 200, body: '{"status":"ok"}' });
      else expect([answer.status, valueOf(answer, 'x-ms-correlation-request-id')]).toEqual([404, target]);
    }
  });

  it('gives the answer to a good request although nonsense follows it, and ends', async () => {
    const connection = await open();
    connection.send(`${signed('PUT', '/kv/before-nonsense?api-version=1.0', '{"value":"v"}')}nonsense\r\n\r\n`);
    const answer = await connection.answer('PUT');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ key: 'before-nonsense' });
    expect(await connection.closed()).toBe('');
  });

  it.each<Record<string, string>>([
    { 'x-ms-correlation-request-id': 'Connection' },
    { 'x-ms-client-request-id': 'Connection', 'x-ms-return-client-request-id': 'true' },
  ])('goes on answering after one that repeats %j', async (echoed) => {
    const connection = await open();
    connection.send(requestText('GET', '/kv', { Host: host, ...echoed }));
    const answer = await connection.answer();
    expect(answer.headers.map(([, value]) => value)).toContain('Connection');
    connection.send(requestText('GET', '/healthz', { Host: host }));
    expect((await connection.answer()).status).toBe(200);
  });

  it('ends with its next answer once the service drains, whoever gives it', async () => {
    const leaving = await startApp({}, app);
    try {
      leaving.app.get(Dispatcher).drain();
      for (const target of ['/healthz', '/openapi.json', '/docs/swagger-ui.css']) {
        const connection = await RawConnection.open(leaving.port);
        opened.push(connection);
        connection.send(requestText('GET', target, { Host: host }).repeat(2));
        const answer = await connection.answer();
        expect([answer.status, valueOf(answer, 'connection')]).toEqual([200, 'close']);
        expect(await connection.closed()).toBe('');
      }
    } finally {
      await leaving.close();
    }
  });

  it('of HTTP/1.0 ends after the answer, unless it asks to stay', async () => {
    const old = (text: string): string => text.replace('HTTP/1.1', 'HTTP/1.0');
    const connection = await open();
    connection.send(old(list()));
    const answer = await connection.answer();
    expect(answer.status).toBe(200);
    expect(valueOf(answer, 'connection')).toBe('close');
    expect(await connection.closed()).toBe('');

    const staying = await open();
    for (let round = 0; round < 2; round++) {
      staying.send(old(list({ Connection: 'keep-alive' })));
      expect((await staying.answer()).status).toBe(200);
    }
  });

  it('that asks for another protocol is answered in this one', async () => {
    const answer = await exchange(app.port, list({ Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c' }));
    expect(answer.status).toBe(200);
  });

  it('for a tunnel is ended', async () => {
    const connection = await open();
    connection.send(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(await connection.closed()).toBe('');
  });

  it('may break at any point of a request without harm', async () => {
    const text = signed('PUT', '/kv/broken?api-version=1.0', '{"value":"v"}');
    const cuts = Array.from({ length: 40 }, (_, index) => Math.floor((text.length * index) / 40));
    await Promise.all(
      [...cuts, text.length - 1].map(async (cut) => {
        const connection = await open();
        connection.send(text.slice(0, cut));
        // The answer to a second request shows that the server has read what was sent before.
        await exchange(app.port, requestText('GET', '/healthz', { Host: host }));
        connection.destroy();
      }),
    );
    await waitFor(async () => (await connections()) === 0);
    expect(await storedKeys()).not.toContain('broken');
    expect((await app.azure.get('/kv?key=broken')).json.items).toEqual([]);
  });

  it('may break before the answer without harm', async () => {
    for (let count = 0; count < 20; count++) {
      const connection = await open();
      connection.send(signed('PUT', `/kv/left${count}?api-version=1.0`, '{"value":"v"}') + list());
      connection.destroy();
    }
    expect((await app.azure.get('/healthz')).status).toBe(200);
  });
});

/** A request whose body is itself a request, for a server that loses count of the bytes. */
function signedLater(method: string, target: string, length: number): () => string {
  const versioned = /^\/kv\/a$/.test(target) ? `${target}?api-version=1.0` : target;
  return () => {
    const inner = signed('PUT', '/kv/inner?api-version=1.0', '{"value":"v"}');
    return signed(method, versioned, inner.repeat(Math.ceil(length / inner.length)));
  };
}

describe('a slow sender', () => {
  it('has 10 seconds for the headers and 30 for the request', () => {
    expect(server).toMatchObject({
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 65_000,
      maxHeadersCount: 0,
      maxConnections: 5_000,
    });
  });

  it('is cut off with 408, whether in the headers or in the body, and nobody else', async () => {
    const { headersTimeout, requestTimeout } = server;
    const sockets: Socket[] = [];
    const onConnection = (socket: Socket): unknown => sockets.push(socket);
    // One that was served before, and is idle: the limits are not for it.
    const idle = await open();
    idle.send(list());
    expect((await idle.answer()).status).toBe(200);
    server.on('connection', onConnection);
    try {
      const put = signed('PUT', '/kv/slow?api-version=1.0', '{"value":"v"}');
      const texts = ['', 'G', list().slice(0, -2), put.slice(0, -5), chunked('/kv/slow', '{"value":"v"}').slice(0, -5)];
      const slow = await Promise.all(
        texts.flatMap((text) =>
          Array.from({ length: 10 }, async () => {
            const connection = await open();
            connection.send(text);
            return { connection, isSilent: text === '' };
          }),
        ),
      );
      // Only once the server has all of it: whoever is held up before that has sent less.
      const sent = texts.reduce((sum, text) => sum + 10 * text.length, 0);
      await waitFor(() => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0) === sent);
      expect(sockets).toHaveLength(slow.length);
      server.off('connection', onConnection);
      expect((await app.azure.get('/kv')).status).toBe(200);
      Object.assign(server, { headersTimeout: 200, requestTimeout: 400 });
      for (const { connection, isSilent } of slow) {
        if (!isSilent) expect((await connection.answer()).status).toBe(408);
        await connection.closed();
      }
      // None of the clients has closed its own side; the server must not wait for that.
      await waitFor(() => sockets.every(({ destroyed }) => destroyed));
    } finally {
      server.off('connection', onConnection);
      Object.assign(server, { headersTimeout, requestTimeout });
    }
    idle.send(list());
    expect((await idle.answer()).status).toBe(200);
    expect(await storedKeys()).not.toContain('slow');
  });
});
