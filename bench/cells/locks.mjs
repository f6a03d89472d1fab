// Distributed locks that nobody else wants: pairs of lock and unlock, each client with a lock of its own.
import { runScript, statement } from '../database/script.mjs';
import { load } from '../load.mjs';
import { require } from '../machine.mjs';

const { TRY, RELEASE } = require('../dist/src/lease/lease.sql.js');

const storedKey = `convert_to('bench/' || (:client_id)::text, 'UTF8')`;
const digest = `sha256(${storedKey})`;
const owner = `convert_to('client-' || (:client_id)::text, 'UTF8')`;
const actor = `'bench'::text`;
const requestId = `'00000000-0000-4000-8000-000000000000'::uuid`;
const PAIR_SCRIPT = {
  each: [
    statement(TRY, [
      ...[digest, storedKey, owner, '60000::bigint', 'NULL::text', 'NULL::text', actor, requestId, '0::bigint'],
    ]),
    statement(RELEASE, [digest, owner, 'NULL::bigint', 'NULL::text', actor, requestId]),
  ],
};

/** etcd's and Redis' own ways to lock are what ours are to be compared with, whichever way ours come. */
const beside = { bare: 'bare-pair', database: 'lock-database', etcd: 'lock-etcd', redis: 'lock-redis' };
const HTTP_LIMITS = { floor: { beside: 'etcd', ratio: 1.5 }, aim: { beside: 'etcd', ratio: 4 } };

export const daprHttpPairCell = {
  on: 'service',
  run: ({ port }, job) => load({ ...job, way: 'daprHttp', port }),
};

export const LOCK_CELLS = [
  { id: 'lock-dapr-http', name: 'lock + unlock, Dapr HTTP', ...daprHttpPairCell, beside, ...HTTP_LIMITS },
  {
    id: 'lock-grpc',
    name: 'lock + unlock, Dapr gRPC',
    on: 'service',
    run: ({ grpcPort }, job) => load({ ...job, way: 'daprGrpc', port: grpcPort }),
    beside,
  },
  {
    id: 'lock-native',
    name: 'lock + unlock, native API',
    on: 'service',
    run: ({ port }, job) => load({ ...job, way: 'native', port }),
    beside,
    ...HTTP_LIMITS,
  },
  {
    id: 'lock-database',
    name: 'database alone: lock + unlock',
    isYardstick: true,
    on: 'database',
    needs: 'service',
    run: ({ address }, { connections, seconds }) => runScript(address, PAIR_SCRIPT, connections, seconds),
  },
  {
    id: 'lock-etcd',
    name: 'etcd: v3lock lock + unlock',
    isYardstick: true,
    on: 'etcd',
    run: ({ port }, job) => load({ ...job, way: 'etcd', port }),
  },
  {
    id: 'lock-redis',
    name: 'Redis: SET NX PX + script',
    isYardstick: true,
    on: 'redis',
    run: ({ port }, job) => load({ ...job, way: 'redis', port }),
  },
].map((cell) => ({ ...cell, group: 'locks' }));
