// One lock that 64 clients want at once. etcd's clients always wait, those of Redis always ask again.
import { loadHotLock } from '../load.mjs';

const CLIENTS = 64;

const hot = (id, name, on, way, waits = false) => ({
  id,
  name,
  on,
  group: 'hot-lock',
  connections: [CLIENTS],
  isYardstick: on === 'etcd' || on === 'redis',
  run: ({ port }, job) => loadHotLock({ ...job, way, port, waits }),
});

export const HOT_LOCK_CELLS = [
  { ...hot('hot-waiting', 'native API, waiting', 'service', 'native', true), beside: { etcd: 'hot-etcd' } },
  {
    ...hot('hot-waiting-2', 'native API, waiting, WORKERS=2', 'twoWorkers', 'native', true),
    beside: { etcd: 'hot-etcd' },
  },
  { ...hot('hot-native', 'native API, asking again', 'service', 'native'), beside: { redis: 'hot-redis' } },
  { ...hot('hot-dapr-http', 'Dapr HTTP, asking again', 'service', 'daprHttp'), beside: { redis: 'hot-redis' } },
  hot('hot-etcd', 'etcd: v3lock, waiting', 'etcd', 'etcd'),
  hot('hot-redis', 'Redis: asking again', 'redis', 'redis'),
];
