// Node's own server with nothing behind it: what an exchange over HTTP costs in any case.
import { httpRequest } from '../generator/http-connection.mjs';
import { load } from '../load.mjs';

export const YARDSTICK_CELLS = [
  {
    id: 'bare',
    name: 'bare node:http',
    isYardstick: true,
    on: 'bare',
    run: ({ port }, job) =>
      load({ ...job, way: 'repeat', port, requests: [httpRequest(port, 'GET', '/kv/bench%2F1').toString('base64')] }),
  },
  {
    id: 'bare-pair',
    name: 'bare node:http, two requests',
    isYardstick: true,
    on: 'bare',
    run: ({ port }, job) => load({ ...job, way: 'bare', port }),
  },
].map((cell) => ({ ...cell, group: 'yardsticks' }));
