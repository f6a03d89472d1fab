#!/usr/bin/env node
// The measurement behind docs/adr/0002: requests per second, and processor time per request, of each way from the node server to a
// controller's method. `node bench/pipeline/compare.mjs`
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { load } from '../load.mjs';
import * as bench from '../machine.mjs';
import { median } from '../statistics.mjs';

const SECONDS = 3;
const ROUNDS = 3;
const source = readFileSync(join(bench.root, 'bench', 'pipeline', 'servers.ts'), 'utf8');
const { outputText } = ts.transpileModule(source, {
  compilerOptions: {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2022,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    esModuleInterop: true,
  },
});
const folder = bench.newFolder();
mkdirSync(join(folder, 'build'));
const program = join(folder, 'build', 'servers.js');
writeFileSync(program, outputText);
symlinkSync(join(bench.root, 'node_modules'), join(folder, 'node_modules'));
const { candidates, signature } = bench.require(program);

const target = '/kv/app%2Fname?api-version=1.0';
const hash = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
const request = (port) => {
  const host = `127.0.0.1:${port}`;
  const date = new Date().toUTCString();
  const signed = `HMAC-SHA256 Credential=id&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature(target, date, host)}`;
  return Buffer.from(
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nx-ms-date: ${date}\r\nx-ms-content-sha256: ${hash}\r\nAuthorization: ${signed}\r\n\r\n`,
  );
};
// Node's own answers spell it so; Nest's usual pipeline does too.
const cpuMicroseconds = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
};

const results = Object.fromEntries(Object.keys(candidates).map((name) => [name, []]));
let port = 18_100;
for (let round = 0; round < ROUNDS; round++) {
  for (const name of Object.keys(candidates)) {
    const server = bench.start(bench.SERVER_CORE, [process.execPath, program, name, String(++port)]);
    while (!(await fetch(`http://127.0.0.1:${port}/`).catch(() => null)))
      await new Promise((resolve) => setTimeout(resolve, 50));
    const job = { way: 'repeat', port, connections: 64, requests: [request(port).toString('base64')] };
    await load({ ...job, seconds: 1 });
    const before = cpuMicroseconds(server.pid);
    const { perSecond, failed } = await load({ ...job, seconds: SECONDS });
    if (failed > 0) throw new Error(`${name}: ${failed} requests failed`);
    // The load's own warm-up second is counted in the time but not in the rate.
    results[name].push({
      perSecond,
      microseconds: (cpuMicroseconds(server.pid) - before) / (perSecond * (SECONDS + 1)),
    });
    await bench.stop(server, 'SIGKILL');
  }
}
const rate = (name) => median(results[name].map(({ perSecond }) => perSecond));
const time = (name) => Math.min(...results[name].map(({ microseconds }) => microseconds));
console.table(
  Object.keys(candidates).map((name) => ({
    pipeline: name,
    'per second': rate(name),
    'of bare': (rate(name) / rate('bare')).toFixed(2),
    'processor µs a request': time(name).toFixed(1),
    'of bare by processor time': (time('bare') / time(name)).toFixed(2),
  })),
);
bench.remove(folder);
