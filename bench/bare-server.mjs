// The yardstick: node's own server answering what a single key-value takes, and nothing else. Prints its port.
import { createServer } from 'node:http';

const body = Buffer.from(JSON.stringify({ etag: 'x'.repeat(43), key: 'bench/1', value: 'v'.repeat(200) }));
const server = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
