import { type IncomingMessage } from 'node:http';
import { payloadTooLarge } from '../problem/catalogue.js';

/** Bytes of a refused body that are read and thrown away, so that a client still sending sees the answer and not a reset. */
const MAX_DISCARDED_BYTES = 1024 * 1024;
/** For how long that goes on, in milliseconds. */
const MAX_DISCARD_MS = 2000;

/** Whether a body follows the header section. Most requests have none, and then nothing is awaited. */
export function announcesBody(incoming: IncomingMessage): boolean {
  const length = incoming.headers['content-length'];
  return length === undefined ? incoming.headers['transfer-encoding'] !== undefined : length !== '0';
}

/**
 * Reads the whole body, up to the limit, declared or chunked. Past it the rest is thrown away unread by closing the connection
 * after the answer, so that a hostile sender cannot make us buffer.
 */
export function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(payloadTooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maxBytes) return void chunks.push(chunk);
      incoming.off('data', onData);
      incoming.pause();
      reject(payloadTooLarge());
    };
    incoming.on('data', onData);
    incoming.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    // An error of the incoming message is always a connection that broke.
    incoming.once('error', () => reject(CLIENT_GONE));
    incoming.once('close', () => reject(CLIENT_GONE));
  });
}

/** Throws away what is left of a refused body; `done` is called once, at its end or when there has been enough of it. */
export function discardBody(incoming: IncomingMessage, done: () => void): void {
  let size = 0;
  const finish = (): void => {
    clearTimeout(timer);
    incoming.off('data', onData).off('end', finish).off('close', finish);
    done();
  };
  const timer = setTimeout(finish, MAX_DISCARD_MS);
  const onData = (chunk: Buffer): void => {
    size += chunk.length;
    if (size > MAX_DISCARDED_BYTES) finish();
  };
  incoming
    .on('data', onData)
    .on('end', finish)
    .on('close', finish)
    .on('error', () => undefined);
  incoming.resume();
}

/** The client left before its request was complete: there is nobody to answer. One for all, for most bodies make and drop one. */
export const CLIENT_GONE = new Error('the client left before its request was complete');
