// A load generator that costs little beside what it measures: requests are bytes made beforehand, answers are only counted.
// Run as a process of its own: `node load.mjs PORT CONNECTIONS SECONDS` with the requests as JSON lines of base64 on standard input.
import { createInterface } from 'node:readline';
import { HttpConnection } from './http-connection.mjs';
import { measure, percentiles } from './measure.mjs';

const [port, connections, seconds] = process.argv.slice(2).map(Number);
const requests = [];
for await (const line of createInterface({ input: process.stdin })) requests.push(Buffer.from(line, 'base64'));

const statuses = {};
const latencies = [];
let next = 0;
const elapsed = await measure(seconds, (clock) => {
  for (let i = 0; i < connections; i++) {
    const connection = new HttpConnection(port);
    const send = () => {
      if (clock.isOver) return;
      const sentAt = performance.now();
      connection.send(requests[next++ % requests.length], (status) => {
        if (clock.isCounting) {
          statuses[status] = (statuses[status] ?? 0) + 1;
          latencies.push(performance.now() - sentAt);
        }
        send();
      });
    };
    connection.socket.on('connect', send);
  }
});
process.stdout.write(
  JSON.stringify({ perSecond: Math.round(latencies.length / elapsed.seconds), statuses, ...percentiles(latencies) }),
);
process.exit(0);
