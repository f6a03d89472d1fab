import { once } from 'node:events';
import { type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { type Logger } from 'pino';
import { type SurfaceExpressAdapter } from '../../src/http/surface-express.adapter';
import { LOGGER } from '../../src/logging/logger';
import { putAll } from '../key-value/stored-key-values';
import { requestText } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

const TLS = join(__dirname, '../support/tls');
/** Few enough for the database to answer them all at once. */
const READERS = 2;
/** On each connection: together more than the operating system takes for one. */
const REQUESTS = 12;
const LARGE_PAGE = '/docs/swagger-ui-bundle.js';

let app: TestApp;
const clients: Socket[] = [];

beforeAll(async () => {
  app = await startApp();
  await putAll(
    app,
    Array.from({ length: 100 }, (_, index) => ({ key: `large-${index}`, value: 'v'.repeat(9_000) })),
  );
});
afterAll(() => app.close());
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});

const pageOf = (target: string): string =>
  requestText('GET', target, {
    Host: `127.0.0.1:${app.port}`,
    ...(target.startsWith('/kv') && app.azure.sign('GET', target, undefined, `127.0.0.1:${app.port}`)),
  });

/** Sends the requests on as many connections and reads nothing. */
async function ask(open: () => Socket, text: string): Promise<void> {
  for (let count = 0; count < READERS; count++) {
    const client = open();
    clients.push(client);
    // The server's way to end it is a reset.
    client.on('error', () => undefined);
    client.write(text.repeat(REQUESTS));
  }
  await Promise.all(clients.map((client) => once(client, 'connect')));
}

/** The server's own sides of connections that are opened from now on. */
function accepted(server: Server): Socket[] {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => sockets.push(socket));
  return sockets;
}

describe('readers that take nothing of what they asked for', () => {
  it.each([['/kv?api-version=1.0'], [LARGE_PAGE]])('are ended: %s', async (target) => {
    const failures = jest.spyOn(app.app.get<Logger>(LOGGER), 'error');
    const sockets = accepted(app.app.getHttpServer());
    await ask(() => connect(app.port, '127.0.0.1'), pageOf(target));
    await waitFor(() => sockets.length === READERS);
    await areEnded(app, sockets);
    expect((await app.azure.get('/kv?key=none')).status).toBe(200);
    expect(failures).not.toHaveBeenCalled();
  });

  it('are ended over TLS', async () => {
    const files = {
      TLS_CERT_FILE: join(TLS, 'test-only.cert.pem'),
      TLS_KEY_FILE: join(TLS, 'test-only.key.pem'),
    };
    const secure = await startApp(files, app);
    try {
      const sockets = accepted(secure.app.getHttpServer());
      await ask(
        () => connectTls({ port: secure.port, host: '127.0.0.1', rejectUnauthorized: false }),
        pageOf(LARGE_PAGE),
      );
      await waitFor(() => sockets.length === READERS);
      await areEnded(secure, sockets);
    } finally {
      await secure.close();
    }
  });
});

/** Looks are 5 s apart in the service, and here as close as can be. */
async function areEnded({ app: service }: TestApp, sockets: readonly Socket[]): Promise<void> {
  const { stalledConnections } = service.getHttpAdapter() as unknown as SurfaceExpressAdapter;
  await waitFor(() => {
    stalledConnections.look();
    return sockets.every(({ destroyed }) => destroyed);
  });
}
