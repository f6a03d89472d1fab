// What key-values are set beside: the same statements on PostgreSQL alone, and other programs.
import { runScript, statement } from '../database/script.mjs';
import { httpRequest } from '../generator/http-connection.mjs';
import { redisCommand, RedisConnection } from '../generator/request-clients.mjs';
import { load } from '../load.mjs';
import { require } from '../machine.mjs';
import { base64, keyIndexes, keyOf, KEYS, PAGE_PREFIX, primeService, putsOfAll, send } from './key-value-requests.mjs';

const { FIND_MANY, PUT } = require('../dist/src/key-value/key-value.sql.js');
const { listPage } = require('../dist/src/key-value/key-value-list.sql.js');

// PostgreSQL alone.
const numbers = { k: KEYS - 1, v: 1_000_000_000 };
const randomKey = `'bench/' || lpad((:k)::text, 4, '0')`;
const ownKey = `'bench/' || lpad((:client_id)::text, 4, '0')`;
const putValues = (key, { condition, tag }) => [
  key,
  `''::text`,
  // As long as the tags that the service draws.
  `left(md5((:v)::text) || md5((:v)::text), 43)`,
  `'bench'::text`,
  `'127.0.0.1'::text`,
  `'00000000-0000-4000-8000-000000000000'::text`,
  `'${condition}'::text`,
  tag,
  `repeat('v', 180) || (:v)::text`,
  `NULL::text`,
  `'{}'::text`,
  `NULL::text`,
  `false`,
];
const page = listPage(
  { key: { kind: 'prefix', value: PAGE_PREFIX }, label: { kind: 'any' }, tags: [], before: null },
  null,
);

/** What the service sends for one read; reads that arrive together share one such statement. */
const GET_SCRIPT = { numbers, each: [statement(FIND_MANY, [`ARRAY[${randomKey}]`, `ARRAY[''::text]`])] };
const PAGE_SCRIPT = {
  each: [
    statement(
      page.statement,
      page.values.map((value) => `'${value}'::text`),
    ),
  ],
};
const PUT_SCRIPT = {
  numbers,
  each: [statement(PUT, putValues(randomKey, { condition: 'none', tag: 'NULL::text' }))],
};
const IF_MATCH_SCRIPT = {
  numbers,
  once: [{ sql: `SELECT etag FROM key_value WHERE key = ${ownKey} AND label = ''`, keeps: true }],
  each: [statement(PUT, putValues(ownKey, { condition: 'match', tag: '(:etag)::text' }), { keeps: true })],
};

const databaseCell = (id, name, script) => ({
  id,
  name,
  isYardstick: true,
  on: 'database',
  needs: 'service',
  prepare: primeService,
  run: ({ address }, { connections, seconds }) => runScript(address, script, connections, seconds),
});

// Other programs.
const toBase64Text = (text) => Buffer.from(text).toString('base64');
const etcdPut = (port, index, value) =>
  httpRequest(port, 'POST', '/v3/kv/put', { key: toBase64Text(keyOf(index)), value: toBase64Text(value) });
const etcdRange = (port, index) => httpRequest(port, 'POST', '/v3/kv/range', { key: toBase64Text(keyOf(index)) });
const redisSet = (index, value) => redisCommand(['SET', keyOf(index), value]);

async function primeEtcd({ port }) {
  for (const index of keyIndexes) await send(port, etcdPut(port, index, 'v'.repeat(190)));
}

async function primeRedis({ port }) {
  const connection = new RedisConnection(port);
  for (const index of keyIndexes) {
    await new Promise((resolve) => connection.send(redisSet(index, 'v'.repeat(190)), resolve));
  }
  connection.socket.destroy();
}

const etcdCell = (id, name, requestsOf) => ({
  id,
  name,
  isYardstick: true,
  on: 'etcd',
  prepare: primeEtcd,
  run: ({ port }, job) => load({ ...job, way: 'repeat', port, requests: base64(requestsOf(port)) }),
});

const redisCell = (id, name, requestsOf) => ({
  id,
  name,
  isYardstick: true,
  on: 'redis',
  prepare: primeRedis,
  run: ({ port }, job) => load({ ...job, way: 'redisCommands', port, requests: base64(requestsOf()) }),
});

/** By the cell of ours that they are beside. */
export const BESIDE = {
  get: [
    databaseCell('get-database', 'database alone: GET of one key', GET_SCRIPT),
    etcdCell('get-etcd', 'etcd: range of one key', (port) => keyIndexes.map((index) => etcdRange(port, index))),
    redisCell('get-redis', 'Redis: GET', () => keyIndexes.map((index) => redisCommand(['GET', keyOf(index)]))),
  ],
  page: [databaseCell('page-database', 'database alone: page of 100', PAGE_SCRIPT)],
  put: [
    databaseCell('put-database', 'database alone: PUT', PUT_SCRIPT),
    etcdCell('put-etcd', 'etcd: put', (port) => putsOfAll((index, value) => etcdPut(port, index, value))),
    redisCell('put-redis', 'Redis: SET', () => putsOfAll(redisSet)),
  ],
  'put-if-match': [databaseCell('put-if-match-database', 'database alone: PUT with If-Match', IF_MATCH_SCRIPT)],
};
