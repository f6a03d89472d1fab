#!/usr/bin/env node
// Serves this folder's three files on the loopback, because browsers load no modules from file://. Nothing else is served.
//
//   node examples/edit-lock/serve.mjs [port]      8090 when left out; 0 picks a free one
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/editor.js': ['editor.js', 'text/javascript; charset=utf-8'],
  '/edit-lock.js': ['edit-lock.js', 'text/javascript; charset=utf-8'],
};

const server = createServer(({ method, url }, response) => {
  const file = FILES[new URL(url, 'http://localhost').pathname];
  if (!file || (method !== 'GET' && method !== 'HEAD')) return response.writeHead(file ? 405 : 404).end();
  const [name, type] = file;
  response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-cache' });
  response.end(readFileSync(new URL(name, import.meta.url)));
});
server.on('error', ({ message }) => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
});
server.listen(Number(process.argv[2] ?? 8090), '127.0.0.1', () => {
  process.stdout.write(`open http://127.0.0.1:${server.address().port}/\n`);
});
