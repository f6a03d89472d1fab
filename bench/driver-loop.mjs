// Sends one statement over and over on several connections of the plain driver; prints statements per second.
import { randomBytes, randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import pg from 'pg';

const [connections, seconds] = process.argv.slice(2).map(Number);
const { address, statement } = JSON.parse(await text(process.stdin));
const values = {
  get: () => [`bench/${Math.ceil(Math.random() * 1000)}`, ''],
  put: () => [
    `bench/${Math.ceil(Math.random() * 1000)}`,
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
}[statement.kind];

let done = 0;
const until = Date.now() + seconds * 1000;
await Promise.all(
  Array.from({ length: connections }, async () => {
    const client = new pg.Client(address);
    await client.connect();
    for (; Date.now() < until; done++)
      await client.query({ name: statement.kind, text: statement.text, values: values() });
    await client.end();
  }),
);
process.stdout.write(String(Math.round(done / seconds)));
