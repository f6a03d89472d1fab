// The requests of the cells of key-values, and what must be stored before them.
import { HttpConnection } from '../generator/http-connection.mjs';
import { TAG_PLACE } from '../generator/request-clients.mjs';
import { signed } from '../signed-request.mjs';

export const KEYS = 1000;
/** Values that one measurement puts to each key in turn: the second differs from the first, and all from those before. */
const VALUES = 10;
/** Shares no divisor with the number of keys, so that clients that follow each other meet different keys. */
const STRIDE = 7;

export const keyOf = (index) => `bench/${String(index).padStart(4, '0')}`;
export const pathOf = (index) => `/kv/${encodeURIComponent(keyOf(index))}`;
/** A hundred keys. */
export const PAGE_PREFIX = 'bench/00';
export const PAGE_PATH = `/kv?key=${encodeURIComponent(PAGE_PREFIX)}*`;

export const keyIndexes = Array.from({ length: KEYS }, (_, index) => index);
export const base64 = (buffers) => buffers.map((bytes) => bytes.toString('base64'));

/** Sent with each value, so that what one measurement puts was not put by one before it. */
let measurements = 0;
const newValues = () => {
  const measurement = ++measurements;
  return (index) => `${'v'.repeat(180)} ${measurement} ${index}`;
};

export const putOf = (port, index, value, headers) =>
  signed(port, 'PUT', pathOf(index), { body: JSON.stringify({ value }), headers });

/** Puts of all keys, `VALUES` times over, in an order in which neighbours are different keys. */
export function putsOfAll(make) {
  const value = newValues();
  return Array.from({ length: VALUES * KEYS }, (_, index) => make((index * STRIDE) % KEYS, value(index)));
}

export async function send(port, request) {
  const connection = new HttpConnection(port);
  const answer = await new Promise((resolve) =>
    connection.send(request, (status, body) => resolve({ status, body: Buffer.from(body).toString() })),
  );
  connection.close();
  if (answer.status !== '200') throw new Error(`priming was answered ${answer.status} ${answer.body}`);
  return answer.body;
}

export async function primeService({ port }) {
  for (const index of keyIndexes) await send(port, putOf(port, index, 'to begin with'));
}

/** Of the page as it is now: puts change it between two measurements. */
export async function pageTag(port) {
  const { etag } = JSON.parse(await send(port, signed(port, 'GET', PAGE_PATH)));
  return etag;
}

export function conditionalPuts(port, connections) {
  const value = newValues();
  const clients = keyIndexes.slice(0, connections);
  return {
    reads: base64(clients.map((index) => signed(port, 'GET', pathOf(index)))),
    // Two in turn change the value each time.
    ownRequests: clients.map((index) =>
      base64([0, 1].map((turn) => putOf(port, index, value(turn), { 'If-Match': `"${TAG_PLACE}"` }))),
    ),
  };
}
