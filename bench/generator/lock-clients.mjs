// One client of each way to take and give back a lock. All have `lock(done)`, which tells whether it was granted, and `unlock(done)`,
// which tells whether the lock was given back; an answer that fits neither counts as an error with the caller.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { require, root } from '../machine.mjs';
import { HttpConnection, httpRequest } from './http-connection.mjs';
import { redisCommand, RedisConnection } from './request-clients.mjs';

/** Longer than any round, so that no lock ends by itself. */
const TTL_SECONDS = 60;
/** The longest wait that the native API grants. */
const WAIT_MS = 60_000;

const REFUSED = { isGranted: false };
const GRANTED = { isGranted: true };
const unexpected = (status, body) => ({ error: `${status} ${body.toString().slice(0, 200)}` });

/** Two answers of the bare server: what the exchange of a pair costs without anything behind it. */
function bare({ port }) {
  const connection = new HttpConnection(port);
  const request = httpRequest(port, 'GET', '/');
  return {
    lock: (done) => connection.send(request, () => done(GRANTED)),
    unlock: (done) => connection.send(request, () => done(null)),
  };
}

function daprHttp({ port, resource, owner }) {
  const connection = new HttpConnection(port);
  const id = { resourceId: resource, lockOwner: owner };
  const lock = httpRequest(port, 'POST', '/v1.0-alpha1/lock/lockstore', { ...id, expiryInSeconds: TTL_SECONDS });
  const unlock = httpRequest(port, 'POST', '/v1.0-alpha1/unlock/lockstore', id);
  const outcomes = { '{"success":true}': GRANTED, '{"success":false}': REFUSED };
  return {
    lock: (done) =>
      connection.send(lock, (status, body) => done(outcomes[body.toString('latin1')] ?? unexpected(status, body))),
    unlock: (done) =>
      connection.send(unlock, (status, body) =>
        done(body.toString('latin1') === '{"status":0}' ? null : unexpected(status, body)),
      ),
  };
}

function native({ port, resource, owner, waits }) {
  const connection = new HttpConnection(port);
  const path = `/api/v1/lock-stores/lockstore/locks/${encodeURIComponent(resource)}`;
  const wanted = { owner, ttlMs: TTL_SECONDS * 1000, ...(waits ? { waitMs: WAIT_MS } : {}) };
  const lock = httpRequest(port, 'PUT', path, wanted);
  const unlock = httpRequest(port, 'DELETE', `${path}?owner=${encodeURIComponent(owner)}`);
  const outcomes = { 201: GRANTED, 409: REFUSED };
  return {
    lock: (done) => connection.send(lock, (status, body) => done(outcomes[status] ?? unexpected(status, body))),
    unlock: (done) =>
      connection.send(unlock, (status, body) => done(status === '204' ? null : unexpected(status, body))),
  };
}

let daprService;
function daprGrpc({ port, resource, owner }) {
  const grpc = require('@grpc/grpc-js');
  daprService ??= grpc.loadPackageDefinition(
    require('@grpc/proto-loader').loadSync(join(root, 'src', 'distributed-lock', 'grpc', 'dapr.proto'), {
      defaults: true,
    }),
  ).dapr.proto.runtime.v1.Dapr;
  // Clients of one address would else share one connection.
  const client = new daprService(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const id = { storeName: 'lockstore', resourceId: resource, lockOwner: owner };
  const wanted = { ...id, expiryInSeconds: TTL_SECONDS };
  return {
    lock: (done) =>
      client.tryLockAlpha1(wanted, (error, answer) =>
        done(error ? unexpected(error.code, error.details) : answer.success ? GRANTED : REFUSED),
      ),
    unlock: (done) =>
      client.unlockAlpha1(id, (error, answer) =>
        done(error || answer.status !== 0 ? unexpected(error?.code ?? answer.status, error?.details ?? '') : null),
      ),
  };
}

/** etcd's own lock service through its JSON gateway: whoever asks waits. The lease is the client's, made once. */
function etcd({ port, resource }) {
  const connection = new HttpConnection(port);
  const name = Buffer.from(resource).toString('base64');
  const grantLease = httpRequest(port, 'POST', '/v3/lease/grant', { TTL: TTL_SECONDS });
  let lock;
  let unlock;
  // The answer may come in chunks, whose sizes stand around the object.
  const text = (body, member) => new RegExp(`"${member}":"([^"]+)"`).exec(body)?.[1];
  const tryLock = (done) =>
    connection.send(lock, (status, body) => {
      const key = text(body, 'key');
      if (status !== '200' || key === undefined) return done(unexpected(status, body));
      unlock = httpRequest(port, 'POST', '/v3/lock/unlock', { key });
      done(GRANTED);
    });
  return {
    lock: (done) => {
      if (lock) return tryLock(done);
      connection.send(grantLease, (status, body) => {
        const lease = text(body, 'ID');
        if (lease === undefined) return done(unexpected(status, body));
        lock = httpRequest(port, 'POST', '/v3/lock/lock', { name, lease });
        tryLock(done);
      });
    },
    unlock: (done) =>
      connection.send(unlock, (status, body) => done(status === '200' ? null : unexpected(status, body))),
  };
}

/** Gives back only what is the caller's, as Redis' manual has it. */
const DELETE_OWN = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end`;

function redis({ port, resource, owner }) {
  const connection = new RedisConnection(port);
  const lock = redisCommand(['SET', resource, owner, 'NX', 'PX', String(TTL_SECONDS * 1000)]);
  // Redis keeps the script after the first time; sending its text each time costs it one digest.
  const unlock = redisCommand(['EVAL', DELETE_OWN, '1', resource, owner]);
  const outcomes = { '+OK': GRANTED, '$-1': REFUSED };
  return {
    lock: (done) => connection.send(lock, (line) => done(outcomes[line] ?? unexpected('', line))),
    unlock: (done) => connection.send(unlock, (line) => done(line === ':1' ? null : unexpected('', line))),
  };
}

/** `@lock` of an object of the client's own, by an editor who is logged in. */
function content({ port, path, authorization }) {
  const connection = new HttpConnection(port);
  const lock = httpRequest(port, 'POST', `${path}/@lock`, {}, { Authorization: authorization });
  const unlock = httpRequest(port, 'DELETE', `${path}/@lock`, undefined, { Authorization: authorization });
  const isLocked = (body) => body.includes('"locked":true');
  return {
    lock: (done) =>
      connection.send(lock, (status, body) =>
        done(status === '200' && isLocked(body) ? GRANTED : unexpected(status, body)),
      ),
    unlock: (done) =>
      connection.send(unlock, (status, body) =>
        done(status === '200' && !isLocked(body) ? null : unexpected(status, body)),
      ),
  };
}

/** By the name of the way; each makes a client from `{ port, resource, owner, waits }` and what the job says of it. */
export const LOCK_CLIENTS = { bare, daprHttp, native, daprGrpc, etcd, redis, content };

/**
 * Clients whose operation is to take a lock of their own and to give it back.
 *
 * @param job `port`, and in `own` what each client is told besides
 */
export function lockAndUnlock(makeClient, { port, own }) {
  // A lock that the end of a run leaves behind must not be in the way of the next run.
  const run = randomUUID();
  return (index) => {
    const client = makeClient({ port, owner: `client-${index}`, resource: `bench/${run}/${index}`, ...own?.[index] });
    return (done) =>
      client.lock((outcome) => {
        if (outcome.isGranted) return client.unlock((failure) => done(failure && failure.error));
        done(outcome.error ?? 'refused, although nobody else wants it');
      });
  };
}
