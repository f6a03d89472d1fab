import { type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Settings } from '../../src/config/settings';
import { startGrpc } from '../../src/distributed-lock/grpc/start-grpc';
import { OwnTime } from '../support/own-time';
import { RawConnection, requestText } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

const TLS = join(__dirname, '../support/tls');
/** Of each kind; both ends of each connection are in this process. */
const SENDERS = 500;
/** What design and docs/limits.md promise: slow headers end within this time, slow requests within the other. */
const HEADERS_END_MS = 15_000;
const REQUEST_END_MS = 35_000;

/** Node keeps these two without declaring them. */
type LimitedServer = Server & { connectionsCheckingInterval: number; maxHeaderSize: number };

let app: TestApp;
let server: LimitedServer;
const sockets: Socket[] = [];

beforeAll(async () => {
  app = await startApp();
  server = app.app.getHttpServer() as LimitedServer;
});
afterAll(() => app.close());
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function openSocket(port: number, text = ''): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  sockets.push(socket);
  // A reset is one of the ways in which the server may end it.
  socket.on('error', () => undefined);
  socket.resume();
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text, 'latin1');
  return socket;
}

describe('the limits of the HTTP server', () => {
  it('end slow senders within the promised times, the interval of the checks included', () => {
    const { headersTimeout, requestTimeout, connectionsCheckingInterval } = server;
    expect(connectionsCheckingInterval).toBe(5_000);
    expect(headersTimeout + connectionsCheckingInterval).toBeLessThanOrEqual(HEADERS_END_MS);
    expect(requestTimeout + connectionsCheckingInterval).toBeLessThanOrEqual(REQUEST_END_MS);
    expect(server.maxHeaderSize).toBe(32_768);
  });

  it('refuse a connection beyond the most that are kept, and take one again as soon as there is room', async () => {
    const { maxConnections } = server;
    const first = await openSocket(app.port);
    const count = await new Promise<number>((resolve, reject) =>
      server.getConnections((error, open) => (error ? reject(error) : resolve(open))),
    );
    server.maxConnections = count;
    try {
      const refused = await openSocket(app.port);
      await waitFor(() => refused.closed);
      first.destroy();
      await waitFor(async () => (await isServed()) === 200);
    } finally {
      server.maxConnections = maxConnections;
    }
  });
});

/** On a connection of its own. */
async function isServed(): Promise<number | undefined> {
  const connection = await RawConnection.open(app.port);
  try {
    connection.send(requestText('GET', '/healthz', { Host: 'x', Connection: 'close' }));
    return (await connection.answer()).status;
  } catch {
    return undefined;
  } finally {
    connection.destroy();
  }
}

describe(`${SENDERS} slow senders of headers and ${SENDERS} of bodies`, () => {
  it('are all ended, while others are served', async () => {
    const { headersTimeout, requestTimeout, connectionsCheckingInterval } = server;
    // The times are shortened, the interval of the checks is the real one: 5 s.
    Object.assign(server, { headersTimeout: 500, requestTimeout: 1_000 });
    try {
      const head = `PUT /kv/slow?api-version=1.0 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n`;
      const slow = await Promise.all(
        Array.from({ length: 2 * SENDERS }, (_, index) =>
          openSocket(app.port, index % 2 === 0 ? head.slice(0, -7) : `${head}\r\n{"value":`),
        ),
      );
      const dripping = setInterval(() => {
        for (const [index, socket] of slow.entries()) if (socket.writable) socket.write(index % 2 === 0 ? '1' : ' ');
      }, 100);
      const time = new OwnTime();
      let served = 0;
      try {
        while (slow.some(({ closed }) => !closed)) {
          expect((await app.azure.get('/kv')).status).toBe(200);
          served++;
          if (time.ownMs > 1_000 + 3 * connectionsCheckingInterval) break;
        }
      } finally {
        clearInterval(dripping);
        time.stop();
      }
      expect(slow.filter(({ closed }) => !closed)).toHaveLength(0);
      expect(time.ownMs).toBeLessThan(1_000 + 2 * connectionsCheckingInterval);
      expect(served).toBeGreaterThan(50);
    } finally {
      Object.assign(server, { headersTimeout, requestTimeout });
    }
    expect((await app.azure.get('/kv?key=slow')).json.items).toEqual([]);
  });
});

/** Node keeps the time under a symbol; it has no public place for it. */
function handshakeOf(tlsServer: object): { ms: number; set: (ms: number) => void } {
  const symbol = Object.getOwnPropertySymbols(tlsServer).find(
    ({ description }) => description === 'handshake-timeout',
  )!;
  const holder = tlsServer as Record<symbol, number>;
  return { ms: holder[symbol]!, set: (ms) => (holder[symbol] = ms) };
}

describe('over TLS', () => {
  it('a client that never ends its handshake is disconnected after 10 seconds', async () => {
    const files = {
      TLS_CERT_FILE: join(TLS, 'test-only.cert.pem'),
      TLS_KEY_FILE: join(TLS, 'test-only.key.pem'),
    };
    const secure = await startApp(files, app);
    try {
      const handshake = handshakeOf(secure.app.getHttpServer());
      expect(handshake.ms).toBe(10_000);
      handshake.set(100);
      const silent = await openSocket(secure.port);
      const half = await openSocket(secure.port, '\x16\x03\x01');
      await waitFor(() => silent.closed && half.closed);
    } finally {
      await secure.close();
    }
  });
});

describe('the limits of the gRPC server', () => {
  it('are as many connections as HTTP takes, a bounded message, and an end to clients that say nothing', async () => {
    const { listener, options } = await grpcInsides();
    expect(listener.maxConnections).toBe(server.maxConnections);
    expect(options['grpc.max_receive_message_length']).toBe(4 * 1024 * 1024);
    expect(options['grpc.max_concurrent_streams']).toBeLessThanOrEqual(1_000);
    const silentMs = options['grpc.keepalive_time_ms']! + options['grpc.keepalive_timeout_ms']!;
    expect(silentMs).toBeLessThanOrEqual(80_000);
    expect(options['grpc.max_connection_age_ms']! + options['grpc.max_connection_age_grace_ms']!).toBeLessThan(
      Infinity,
    );
  });
});

/** What grpc-js was told; neither it nor our transport shows that. */
async function grpcInsides(): Promise<{ listener: { maxConnections: number }; options: Record<string, number> }> {
  const context = { settings: app.app.get(Settings) } as Parameters<typeof startGrpc>[1];
  const transport = await startGrpc(app.app, context, 0);
  const { listener, grpcClient } = transport as unknown as {
    listener: { maxConnections: number };
    grpcClient: { options: Record<string, number> };
  };
  return { listener, options: grpcClient.options };
}
