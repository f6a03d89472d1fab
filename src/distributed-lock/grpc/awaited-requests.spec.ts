import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { AwaitedRequests } from './awaited-requests.js';

const DEADLINE_EXCEEDED = '4';
const UNAVAILABLE = '14';
const MESSAGE = Buffer.alloc(5);

let listener: NetServer;
let server: Server;
let session: ClientHttp2Session;
let calls = 0;
const sockets = new Set<Socket>();

async function serve(awaited: AwaitedRequests): Promise<void> {
  calls = 0;
  server = new Server({ interceptors: [awaited.interceptor] });
  const same = (bytes: Buffer): Buffer => bytes;
  const method = { path: '/a/b', requestStream: false, responseStream: false } as const;
  const codecs = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService(
    { b: { ...method, ...codecs } },
    {
      b: (_call: unknown, callback: (error: null, answer: Buffer) => void) => {
        calls++;
        callback(null, Buffer.alloc(0));
      },
    },
  );
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  listener = createServer((socket) => {
    sockets.add(socket);
    injector.injectConnection(socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  session = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  session.on('error', () => undefined);
}
afterEach(() => {
  session.destroy();
  server.forceShutdown();
  listener.close();
  sockets.forEach((socket) => socket.destroy());
});

function open(): { stream: ClientHttp2Stream; status: Promise<unknown> } {
  const stream = session.request({ ':method': 'POST', ':path': '/a/b', 'content-type': 'application/grpc' });
  stream.on('error', () => undefined);
  const status = new Promise<unknown>((resolve) => {
    stream.on('response', (headers) => headers['grpc-status'] !== undefined && resolve(headers['grpc-status']));
    stream.on('trailers', (trailers) => resolve(trailers['grpc-status']));
  });
  stream.resume();
  return { stream, status };
}
const ping = (): Promise<void> => new Promise((resolve) => session.ping(() => resolve()));

it('ends a call whose request does not come', async () => {
  await serve(new AwaitedRequests(20));
  expect(await open().status).toBe(DEADLINE_EXCEEDED);
});

it('does not run a method for a request that is complete only after the client was told no', async () => {
  await serve(new AwaitedRequests(50));
  const { stream, status } = open();
  stream.write(MESSAGE);
  expect(await status).toBe(DEADLINE_EXCEEDED);
  stream.end();
  await ping();
  expect(calls).toBe(0);
});

it('lets a request that came run, however often', async () => {
  await serve(new AwaitedRequests(60_000));
  for (let count = 0; count < 3; count++) {
    const { stream, status } = open();
    stream.end(MESSAGE);
    expect(await status).toBe('0');
  }
  expect(calls).toBe(3);
});

it('waits a short time only once the service drains', async () => {
  const awaited = new AwaitedRequests(60_000);
  await serve(awaited);
  const before = open();
  await ping();
  const drained = awaited.drain();
  const after = open();
  expect(await Promise.all([before.status, after.status])).toEqual([UNAVAILABLE, UNAVAILABLE]);
  await drained;
});
