// One keep-alive connection that costs little beside what it measures: requests are bytes, answers are cut out of the stream, not parsed.
import { connect } from 'node:net';

const HEADER_END = Buffer.from('\r\n\r\n');
// The end of the name is spelled alike whether or not its first letters are capitals.
const CONTENT_LENGTH = Buffer.from('ength: ');
const CHUNKED = Buffer.from('chunked');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Where body and answer end in a buffer that starts with an answer; null while that is not complete. */
function answerEnds(buffer) {
  const end = buffer.indexOf(HEADER_END);
  if (end < 0) return null;
  const bodyAt = end + HEADER_END.length;
  // A 304 announces no body even where it says how long one would be.
  const status = buffer.toString('latin1', 9, 12);
  if (status === '304' || status === '204') return { bodyAt, total: bodyAt };
  const at = buffer.indexOf(CONTENT_LENGTH);
  if (at < 0 || at > end) {
    const chunkedAt = buffer.indexOf(CHUNKED);
    if (chunkedAt < 0 || chunkedAt > end) return { bodyAt, total: bodyAt };
    // One request at a time: nothing but the end of this answer can look like its last chunk at the end of what came.
    return buffer.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) ? { bodyAt, total: buffer.length } : null;
  }
  let length = 0;
  for (let i = at + CONTENT_LENGTH.length; buffer[i] >= 48 && buffer[i] <= 57; i++)
    length = length * 10 + buffer[i] - 48;
  const total = bodyAt + length;
  return buffer.length >= total ? { bodyAt, total } : null;
}

/** Sends one request at a time, each after the answer to the one before. */
export class HttpConnection {
  #pending = Buffer.alloc(0);
  #onAnswer = null;

  constructor(port) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', (error) => process.stderr.write(`${error.message}\n`));
    this.socket.on('data', (chunk) => {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      const ends = answerEnds(this.#pending);
      if (ends === null) return;
      const answer = this.#pending;
      this.#pending = answer.subarray(ends.total);
      this.#onAnswer(answer.toString('latin1', 9, 12), answer.subarray(ends.bodyAt, ends.total));
    });
  }

  /** @param onAnswer called with the status as text and the body's bytes, chunk sizes included where it came in chunks */
  send(request, onAnswer) {
    this.#onAnswer = onAnswer;
    this.socket.write(request);
  }

  close() {
    this.socket.destroy();
  }
}

/** A request as bytes. A body is JSON. */
export function httpRequest(port, method, target, body, headers = {}) {
  const text = body === undefined ? '' : JSON.stringify(body);
  const lines = {
    Host: `127.0.0.1:${port}`,
    ...(text ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } : {}),
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${head.join('')}\r\n${text}`);
}
