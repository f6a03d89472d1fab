// Key-values: reads, pages and puts.
import { load } from '../load.mjs';
import { signed } from '../signed-request.mjs';
import {
  base64,
  conditionalPuts,
  keyIndexes,
  PAGE_PATH,
  pageTag,
  pathOf,
  primeService,
  putOf,
  putsOfAll,
} from './key-value-requests.mjs';
import { BESIDE } from './key-value-yardsticks.mjs';

export const getCell = {
  on: 'service',
  prepare: primeService,
  run: ({ port }, job) =>
    load({
      ...job,
      way: 'repeat',
      port,
      requests: base64(keyIndexes.map((index) => signed(port, 'GET', pathOf(index)))),
    }),
};

export const unchangedPageCell = {
  on: 'service',
  prepare: primeService,
  run: async ({ port }, job) => {
    const headers = { 'If-None-Match': `"${await pageTag(port)}"` };
    const requests = base64([signed(port, 'GET', PAGE_PATH, { headers })]);
    return load({ ...job, way: 'repeat', port, requests, status: '304' });
  },
};

export const putCell = {
  on: 'service',
  prepare: primeService,
  run: ({ port }, job) =>
    load({
      ...job,
      way: 'repeat',
      port,
      requests: base64(putsOfAll((index, value) => putOf(port, index, value))),
    }),
};

export const KEY_VALUE_CELLS = [
  {
    id: 'get',
    name: 'signed GET of one key',
    ...getCell,
    beside: { bare: 'bare', database: 'get-database', etcd: 'get-etcd', redis: 'get-redis' },
    floor: { beside: 'bare', ratio: 0.25 },
    aim: { beside: 'bare', ratio: 0.6 },
  },
  ...BESIDE['get'],
  {
    id: 'page',
    name: 'page of 100',
    on: 'service',
    prepare: primeService,
    run: ({ port }, job) => load({ ...job, way: 'repeat', port, requests: base64([signed(port, 'GET', PAGE_PATH)]) }),
    beside: { bare: 'bare', database: 'page-database' },
  },
  ...BESIDE['page'],
  {
    id: 'page-unchanged',
    name: 'the same page unchanged (304)',
    ...unchangedPageCell,
    beside: { bare: 'bare', database: 'page-database' },
    floor: { beside: 'bare', ratio: 0.25 },
    aim: { beside: 'bare', ratio: 0.6 },
  },
  {
    id: 'put',
    name: 'PUT of a new value',
    ...putCell,
    beside: { bare: 'bare', database: 'put-database', etcd: 'put-etcd', redis: 'put-redis' },
    floor: { beside: 'database', ratio: 0.6 },
    aim: { beside: 'database', ratio: 1.5 },
  },
  ...BESIDE['put'],
  {
    id: 'put-if-match',
    name: 'PUT with If-Match',
    on: 'service',
    prepare: primeService,
    run: ({ port }, job) => load({ ...job, way: 'ifMatch', port, ...conditionalPuts(port, job.connections) }),
    beside: { bare: 'bare', database: 'put-if-match-database' },
  },
  ...BESIDE['put-if-match'],
].map((cell) => ({ ...cell, group: 'key-values' }));
