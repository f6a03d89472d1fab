// Sends statements in turn, over and over, on several connections of the plain driver; prints how often per second all were answered.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import pg from 'pg';

const [connections, seconds] = process.argv.slice(2).map(Number);
const { address, statements } = JSON.parse(await text(process.stdin));
const key = () => `bench/${String(Math.ceil(Math.random() * 1000)).padStart(4, '0')}`;
const storedKey = (index) => Buffer.from(`bench/driver/${index}`);
const digest = (index) => createHash('sha256').update(storedKey(index)).digest();
const owner = (index) => Buffer.from(`client-${index}`);
/** By the statement's name; each gets the number of its connection. */
const VALUES = {
  get: () => [key(), ''],
  put: () => [
    key(),
    '',
    randomBytes(32).toString('base64url'),
    'bench',
    '127.0.0.1',
    randomUUID(),
    'none',
    null,
    'v'.repeat(190) + Math.random(),
    null,
    '{}',
    null,
    false,
  ],
  lease_try: (index) => [digest(index), storedKey(index), owner(index), 60_000, null, null, 'bench', randomUUID(), 0],
  lease_release: (index) => [digest(index), owner(index), null, null, 'bench', randomUUID()],
};

let done = 0;
const until = Date.now() + seconds * 1000;
await Promise.all(
  Array.from({ length: connections }, async (_, index) => {
    const client = new pg.Client(address);
    await client.connect();
    for (; Date.now() < until; done++) {
      for (const { name, text } of statements) await client.query({ name, text, values: VALUES[name](index) });
    }
    await client.end();
  }),
);
process.stdout.write(String(Math.round(done / seconds)));
