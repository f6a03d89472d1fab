import { type IncomingMessage } from 'node:http';
import { payloadTooLarge } from '../problem/catalogue.js';

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
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        incoming.pause();
        reject(payloadTooLarge());
      } else chunks.push(chunk);
    });
    incoming.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    incoming.once('error', reject);
    incoming.once('close', () => reject(new ClientGone()));
  });
}

/** The client left before its request was complete: there is nobody to answer. */
export class ClientGone extends Error {}
