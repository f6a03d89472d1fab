import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { StalledConnections } from './stalled-connections.js';

/** What 30 seconds are after the first look. */
const LOOKS = 6;
/** More than the operating system takes for one connection, several times over. */
const LARGE = 'x'.repeat(32 * 1024 * 1024);

let server: Server;
let stalled: StalledConnections;
let client: Socket;
/** The server's side of the connection. */
let socket: Socket & { readonly _handle: { readonly writeQueueSize: number } };

/** Opens a connection on which one request is sent and nothing is read. */
async function ask(body: string | null): Promise<void> {
  stalled = new StalledConnections();
  server = createServer((_, response) => void (body !== null && response.end(body)));
  stalled.watch(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const asked = Promise.all([once(server, 'connection'), once(server, 'request')]);
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  [[socket]] = (await asked) as [[typeof socket], unknown];
  // Until the operating system takes no more of it.
  for (let before = -1; before !== socket._handle.writeQueueSize; await pause(50)) {
    before = socket._handle.writeQueueSize;
  }
}
const look = (times: number): void => {
  for (let count = 0; count < times; count++) stalled.look();
};
// It would look by itself as well, between the looks that are counted here.
beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'setTimeout', 'queueMicrotask'] }));
afterEach(() => {
  client.destroy();
  server.close();
  jest.useRealTimers();
});

it('ends a connection of which nothing was read for 30 seconds', async () => {
  await ask(LARGE);
  look(LOOKS);
  expect(socket.destroyed).toBe(false);
  look(1);
  expect(socket.destroyed).toBe(true);
});

it('gives a reader another 30 seconds whenever some of it was read', async () => {
  await ask(LARGE);
  for (let round = 1; round <= 3; round++) {
    look(LOOKS);
    expect(socket.destroyed).toBe(false);
    const { writeQueueSize } = socket._handle;
    for (; socket._handle.writeQueueSize === writeQueueSize; await pause(1)) client.read(65_536);
  }
});

it('leaves alone who has read everything, and who still waits for an answer', async () => {
  for (const body of ['small', null]) {
    await ask(body);
    look(100 * LOOKS);
    expect(socket.destroyed).toBe(false);
    client.destroy();
    server.close();
  }
});

it('looks by itself while the server listens', async () => {
  await ask(LARGE);
  jest.advanceTimersByTime(30_000);
  expect(socket.destroyed).toBe(false);
  jest.advanceTimersByTime(5_000);
  expect(socket.destroyed).toBe(true);
  const closed = once(server, 'close');
  server.close();
  await closed;
  expect(jest.getTimerCount()).toBe(0);
});
