// Clients of single requests. Each way takes the job and gives a function that makes the client of a number; a client is a function that
// does one operation and then calls `done`, with null or with what went wrong.
import { connect } from 'node:net';
import { HttpConnection } from './http-connection.mjs';

const toBytes = (texts) => texts.map((text) => Buffer.from(text, 'base64'));
const unexpected = (status, body) => `${status} ${body.toString('latin1', 0, 200)}`;

/**
 * Requests made beforehand, answers only counted. `requests` are shared by all clients, each taking the next one; `ownRequests` are
 * those of one client each. All as base64; `status` is the one that is expected.
 */
function repeat({ port, requests, ownRequests, status: expected = '200' }) {
  const takeShared = requests && inTurn(toBytes(requests));
  return (index) => {
    const take = takeShared ?? inTurn(toBytes(ownRequests[index]));
    const connection = new HttpConnection(port);
    return (done) =>
      connection.send(take(), (status, body) => done(status === expected ? null : unexpected(status, body)));
  };
}

function inTurn(items) {
  let next = 0;
  return () => items[next++ % items.length];
}

const ETAG_MEMBER = Buffer.from('"etag":"');
/** Stands where the tag comes; all tags are as long as this. */
export const TAG_PLACE = '?'.repeat(43);

/**
 * Puts that name the tag which the put before was answered with. Each client has a key of its own: `reads[index]` asks for it,
 * `ownRequests[index]` are puts with `TAG_PLACE` in them. `If-Match` is no part of what is signed.
 */
function ifMatch({ port, reads, ownRequests }) {
  return (index) => {
    const connection = new HttpConnection(port);
    const take = inTurn(
      toBytes(ownRequests[index]).map((request) => ({ request, tagAt: request.indexOf(TAG_PLACE, 0, 'latin1') })),
    );
    let tag;
    const keepTag = (body) => {
      const start = body.indexOf(ETAG_MEMBER) + ETAG_MEMBER.length;
      tag = body.subarray(start, start + TAG_PLACE.length);
    };
    const put = (done) => {
      const { request, tagAt } = take();
      tag.copy(request, tagAt);
      connection.send(request, (status, body) => {
        if (status !== '200') return done(unexpected(status, body));
        keepTag(body);
        done(null);
      });
    };
    return (done) => {
      if (tag) return put(done);
      connection.send(Buffer.from(reads[index], 'base64'), (status, body) => {
        if (status !== '200') return done(unexpected(status, body));
        keepTag(body);
        put(done);
      });
    };
  };
}

/** Redis' commands, as base64, shared by all clients. */
function redisCommands({ port, requests }) {
  const take = inTurn(toBytes(requests));
  return () => {
    const connection = new RedisConnection(port);
    return (done) => connection.send(take(), (line) => done(line[0] === '-' ? line : null));
  };
}

/** One connection to Redis that sends one command at a time. */
export class RedisConnection {
  #pending = '';
  #onAnswer = null;

  constructor(port) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', (error) => process.stderr.write(`${error.message}\n`));
    this.socket.on('data', (chunk) => {
      this.#pending += chunk.toString('latin1');
      const lineEnd = this.#pending.indexOf('\r\n');
      if (lineEnd < 0) return;
      const line = this.#pending.slice(0, lineEnd);
      // Only a text has more than its first line: that says how long it is, or -1 for none.
      const length = line[0] === '$' ? Number(line.slice(1)) : -1;
      const total = length < 0 ? lineEnd + 2 : lineEnd + 2 + length + 2;
      if (this.#pending.length < total) return;
      this.#pending = '';
      this.#onAnswer(line);
    });
  }

  /** @param onAnswer called with the first line of the answer, such as `+OK`, `$-1` or `:1` */
  send(command, onAnswer) {
    this.#onAnswer = onAnswer;
    this.socket.write(command);
  }
}

export const redisCommand = (words) =>
  Buffer.from(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);

/** By the name of the way. */
export const REQUEST_CLIENTS = { repeat, ifMatch, redisCommands };
