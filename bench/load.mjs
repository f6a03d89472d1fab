// A load generator that costs little beside what it measures: requests are bytes made beforehand, answers are only counted.
// Run as a process of its own: `node load.mjs PORT CONNECTIONS SECONDS` with the requests as JSON lines of base64 on standard input.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const HEADER_END = Buffer.from('\r\n\r\n');
// The end of the name is spelled alike whether or not its first letters are capitals.
const CONTENT_LENGTH = Buffer.from('ength: ');

/** Length of the first complete answer in the buffer, or 0. */
function answerLength(buffer) {
  const end = buffer.indexOf(HEADER_END);
  if (end < 0) return 0;
  const at = buffer.indexOf(CONTENT_LENGTH);
  let length = 0;
  if (at >= 0 && at < end) {
    for (let i = at + CONTENT_LENGTH.length; buffer[i] >= 48 && buffer[i] <= 57; i++)
      length = length * 10 + buffer[i] - 48;
  }
  // A 304 announces no body even where it says how long one would be.
  const status = buffer.toString('latin1', 9, 12);
  const total = end + 4 + (status === '304' || status === '204' ? 0 : length);
  return buffer.length >= total ? total : 0;
}

async function run(port, connections, seconds, requests) {
  const statuses = {};
  const latencies = [];
  let next = 0;
  let isCounting = false;
  let isOver = false;
  const clients = Array.from({ length: connections }, () => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let pending = Buffer.alloc(0);
    let sentAt = 0;
    const send = () => {
      if (isOver) return socket.end();
      sentAt = performance.now();
      socket.write(requests[next++ % requests.length]);
    };
    socket.on('connect', send);
    socket.on('error', (error) => process.stderr.write(`${error.message}\n`));
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const length = answerLength(pending);
      if (length === 0) return;
      if (isCounting) {
        const status = pending.toString('latin1', 9, 12);
        statuses[status] = (statuses[status] ?? 0) + 1;
        latencies.push(performance.now() - sentAt);
      }
      pending = pending.subarray(length);
      send();
    });
    return socket;
  });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  isCounting = true;
  const startedAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  isOver = true;
  const elapsed = (performance.now() - startedAt) / 1000;
  clients.forEach((socket) => socket.destroy());
  latencies.sort((a, b) => a - b);
  const percentile = (p) => Number((latencies[Math.floor(latencies.length * p)] ?? 0).toFixed(2));
  return { perSecond: Math.round(latencies.length / elapsed), statuses, p50: percentile(0.5), p99: percentile(0.99) };
}

const [port, connections, seconds] = process.argv.slice(2).map(Number);
const requests = [];
for await (const line of createInterface({ input: process.stdin })) requests.push(Buffer.from(line, 'base64'));
process.stdout.write(JSON.stringify(await run(port, connections, seconds, requests)));
process.exit(0);
