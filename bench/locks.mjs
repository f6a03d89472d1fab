// Distributed locks: pairs of lock and unlock beside PostgreSQL alone, the bare server and other programs; one hot lock with clients that
// ask again and clients that wait.
import * as bench from './machine.mjs';
import { ETCD, startPeers } from './peers.mjs';
import { BARE_PORT, startService } from './stage.mjs';

/** Clients with a lock of their own each. */
const CLIENTS = [1, 16, 64];
const HOT_CLIENTS = 64;
const BARE = 'bare node:http, two requests';
const ASKING_AGAIN = 'native API, asking again';
/** As many as the service's pool has: more clients than that share them. */
const POOL = 10;

const { TRY, RELEASE } = bench.require('../dist/src/lease/lease.sql.js');

const storedKey = `convert_to('bench/' || (:client_id)::text, 'UTF8')`;
const digest = `sha256(${storedKey})`;
const owner = `convert_to('client-' || (:client_id)::text, 'UTF8')`;
const actor = `'bench'::text`;
const requestId = `'00000000-0000-4000-8000-000000000000'::uuid`;
const PAIR_SCRIPT =
  bench.pgbenchStatement(TRY, [
    digest,
    storedKey,
    owner,
    '60000::bigint',
    'NULL::text',
    'NULL::text',
    actor,
    requestId,
    '0::bigint',
  ]) + bench.pgbenchStatement(RELEASE, [digest, owner, 'NULL::bigint', 'NULL::text', actor, requestId]);

/** @returns what was measured, for the results file, and the tables to show */
export async function measureLocks({ address, service }, { seconds, rounds }) {
  const peers = await startPeers();
  const twoWorkers = await startService(address, { WORKERS: '2' });
  try {
    const ways = [
      { name: BARE, way: 'bare', port: BARE_PORT },
      { name: 'Dapr HTTP', way: 'daprHttp', port: service.port },
      { name: 'native API', way: 'native', port: service.port },
      { name: 'Dapr gRPC', way: 'daprGrpc', port: service.grpcPort },
      ...peers.running,
    ];
    const pairs = CLIENTS.flatMap((clients) => [
      ...ways.map(({ name, way, port }) => ({
        name,
        clients,
        run: () => bench.loadLocks(way, port, clients, seconds, 'own'),
      })),
      {
        name: bench.databaseName,
        clients,
        run: () => bench.database(address, PAIR_SCRIPT, [TRY, RELEASE], Math.min(clients, POOL), seconds),
      },
    ]);
    const hot = [
      { name: 'Dapr HTTP, asking again', way: 'daprHttp', contention: 'hot', port: service.port },
      { name: ASKING_AGAIN, way: 'native', contention: 'hot', port: service.port },
      { name: 'native API, waiting', way: 'native', contention: 'hot-waiting', port: service.port },
      { name: 'native API, waiting, 2 workers', way: 'native', contention: 'hot-waiting', port: twoWorkers.port },
      // etcd's clients always wait, those of Redis always ask again.
      ...peers.running.map(({ name, way, port }) => ({ name, way, contention: 'hot', port })),
    ].map(({ name, way, contention, port }) => ({
      name,
      clients: HOT_CLIENTS,
      run: () => bench.loadLocks(way, port, HOT_CLIENTS, seconds, contention),
    }));
    const results = await bench.inRounds(
      Object.fromEntries([
        ...pairs.map((cell) => [pairCell(cell), cell.run]),
        ...hot.map((cell) => [hotCell(cell), cell.run]),
      ]),
      rounds,
    );
    const notRun = peers.absent.map(({ name, reason }) => ({
      'uncontended pairs': name,
      'per second': `not run: ${reason}`,
    }));
    return {
      results,
      notRun: peers.absent,
      tables: [[...pairTable(pairs, results), ...notRun], hotTable(hot, results)],
    };
  } finally {
    await twoWorkers.stop();
    await peers.close();
  }
}

const pairCell = ({ name, clients }) => `${name}, ${clients} own locks`;
const hotCell = ({ name }) => `${name}, one lock`;

function pairTable(cells, results) {
  const rate = (name, clients) => median(results, pairCell({ name, clients }), ({ perSecond }) => perSecond);
  return cells.map(({ name, clients }) => {
    const rounds = results[pairCell({ name, clients })];
    const of = (other) =>
      name === other || !(pairCell({ name: other, clients }) in results)
        ? ''
        : ratio(rate(name, clients), rate(other, clients));
    return {
      'uncontended pairs': name,
      clients,
      'per second': rate(name, clients),
      'of bare node:http': of(BARE),
      [`of ${bench.databaseName}`]: of(bench.databaseName),
      'of etcd': of(ETCD),
      ...latency(rounds),
      ...trouble(rounds),
    };
  });
}

function hotTable(cells, results) {
  const rate = (cell) => median(results, hotCell(cell), ({ perSecond }) => perSecond);
  const askingAgain = cells.find(({ name }) => name === ASKING_AGAIN);
  return cells.map((cell) => {
    const of = (pick) => median(results, hotCell(cell), pick);
    return {
      [`one lock, ${HOT_CLIENTS} clients`]: cell.name,
      'grants per second': rate(cell),
      'of native, asking again': cell === askingAgain ? '' : ratio(rate(cell), rate(askingAgain)),
      'hand-off p50 ms': of(({ handOff }) => handOff.p50),
      'hand-off p99 ms': of(({ handOff }) => handOff.p99),
      'grants per client': `${of(({ fewestGrants }) => fewestGrants)} to ${of(({ mostGrants }) => mostGrants)}`,
      refused: of(({ refused }) => refused),
      ...trouble(results[hotCell(cell)]),
    };
  });
}

const latency = (rounds) => ({
  'p50 ms': rounds[0].p50 === undefined ? '' : bench.median(rounds.map(({ p50 }) => p50)),
  'p99 ms': rounds[0].p99 === undefined ? '' : bench.median(rounds.map(({ p99 }) => p99)),
});

/** What makes a figure doubtful: answers that were neither grant nor refusal, and a generator without time to spare. */
const trouble = (rounds) => ({
  'generator busy': rounds[0].generatorBusy === undefined ? '' : bench.median(rounds.map((one) => one.generatorBusy)),
  failed: rounds.reduce((sum, { failed = 0 }) => sum + failed, 0),
});

const median = (results, cell, pick) => bench.median(results[cell].map(pick));
const ratio = (value, yardstick) => (yardstick === 0 ? '' : (value / yardstick).toFixed(2));
