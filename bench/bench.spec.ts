import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');

/** What an expression is over the exports of one of the benchmark's modules, in a node of its own: jest loads no `.mjs`. */
function inNode<Value>(module: string, expression: string): Value {
  const program = `
    import * as exported from ${JSON.stringify(join(__dirname, module))};
    process.stdout.write(JSON.stringify(await (async ({ ${names(expression)} }) => ${expression})(exported)));
    process.exit(0);`;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8', timeout: 10_000 }),
  );
}

const EXPORTS = [
  'parseCommandLine',
  'chooseCells',
  'median',
  'percentiles',
  'statement',
  'HttpConnection',
  'httpRequest',
];
const names = (expression: string): string => EXPORTS.filter((name) => expression.includes(name)).join(', ');

const bench = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [join(__dirname, 'run.mjs'), ...args], { cwd: ROOT, encoding: 'utf8' });

describe('the command line', () => {
  const parse = (...args: string[]): Record<string, unknown> =>
    inNode('command-line.mjs', `parseCommandLine(${JSON.stringify(args)})`);

  it('measures everything at 1, 16 and 64 connections unless told otherwise', () => {
    expect(parse()).toMatchObject({ only: null, connections: [1, 16, 64], rounds: 3, seconds: 4 });
    expect(parse('--only', 'get,locks', '--connections', '8,32', '--rounds', '5', '--seconds', '0.2')).toMatchObject({
      only: ['get', 'locks'],
      connections: [8, 32],
      rounds: 5,
      seconds: 0.2,
    });
  });

  it('is quick in one short round, and what is said besides still counts', () => {
    expect(parse('--quick', '--seconds', '2')).toMatchObject({ rounds: 1, seconds: 2 });
    expect(parse('--quick')).toMatchObject({ rounds: 1, seconds: 0.5 });
  });

  it.each([
    [['--connections', '0'], '--connections takes whole numbers above 0'],
    [['--connections', '1,many'], '--connections takes whole numbers above 0'],
    [['--connections', '257'], '--connections takes up to 256'],
    [['--rounds', '1.5'], '--rounds takes whole numbers above 0'],
    [['--seconds', ''], '--seconds takes numbers above 0'],
    [['--growth', '--sizes', '1500'], '--sizes takes multiples of 1000 up to 10000000'],
    [['--fast'], "Unknown option '--fast'"],
  ])('refuses %j', (args, message) => {
    const { status, stderr, stdout } = bench(...args);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain(' at ');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  });

  it('takes the sizes of growing stores, smallest first', () => {
    expect(parse()).toMatchObject({ growth: false, sizes: [1000, 100_000, 1_000_000] });
    expect(parse('--growth', '--sizes', '20000,1000')).toMatchObject({ growth: true, sizes: [1000, 20_000] });
  });

  it('tells how it is used', () => {
    expect(bench('--help').stdout).toContain('npm run bench -- [options]');
  });
});

describe('choosing cells', () => {
  const CELLS = [
    { id: 'bare', group: 'yardsticks' },
    { id: 'get', group: 'key-values', beside: { bare: 'bare', etcd: 'get-etcd' } },
    { id: 'get-etcd', group: 'key-values' },
    { id: 'lock', group: 'locks', beside: { bare: 'bare' } },
  ];
  const choose = (only: string[] | null): { id: string }[] =>
    inNode('command-line.mjs', `chooseCells(${JSON.stringify(CELLS)}, ${JSON.stringify(only)})`);

  it('takes along what stands beside those that were named, by themselves or by their group', () => {
    expect(choose(['get']).map(({ id }) => id)).toEqual(['bare', 'get', 'get-etcd']);
    expect(choose(['locks']).map(({ id }) => id)).toEqual(['bare', 'lock']);
    expect(choose(null)).toHaveLength(4);
  });

  it('refuses a name that is none', () => {
    expect(() => choose(['gets'])).toThrow('there is no gets');
  });
});

describe('summing up', () => {
  it('takes the middle of an odd number of figures, and the mean of the two in the middle of an even one', () => {
    expect(inNode('statistics.mjs', '[median([30, 1, 20]), median([4, 1, 3, 100]), median([7])]')).toEqual([
      20, 3.5, 7,
    ]);
  });

  it('gives percentiles of times, and 0 where there are none', () => {
    const times = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect(inNode('statistics.mjs', `percentiles(${JSON.stringify(times)})`)).toEqual({ p50: 101, p99: 199 });
    expect(inNode('statistics.mjs', 'percentiles([])')).toEqual({ p50: 0, p99: 0 });
  });
});

describe('statements without the service', () => {
  it('have an expression for each parameter, and no colon in a literal', () => {
    const sql = "SELECT to_char($2, 'HH24:MI'), '{}', $1::text,\n $10";
    const expressions = ['(:client_id)::text', 'now()', ...Array<string>(7).fill('0'), '10'];
    expect(
      inNode('database/script.mjs', `statement({ text: ${JSON.stringify(sql)} }, ${JSON.stringify(expressions)})`),
    ).toEqual({
      sql: String.raw`SELECT to_char((now()), E'HH24\x3aMI'), '{}', ((:client_id)::text)::text,  (10)`,
      keeps: false,
    });
  });
});

describe("the generator's connection", () => {
  it('tells where an answer ends: by its length, by its last chunk, or at once where it has no body', () => {
    // Parts of one answer come with the connection's own pace; whatever is told too early or too late shows in the next answer.
    const answers = inNode(
      'generator/http-connection.mjs',
      `(async () => {
        const { createServer } = await import('node:net');
        const answers = [
          ['HTTP/1.1 200 OK\\r\\nContent-Le', 'ngth: 5\\r\\n\\r\\nab', 'cde'],
          ['HTTP/1.1 304 Not Modified\\r\\nContent-Length: 9\\r\\n\\r\\n'],
          ['HTTP/1.1 200 OK\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n3\\r\\nabc\\r\\n', '0\\r\\n', '\\r\\n'],
          ['HTTP/1.1 204 No Content\\r\\n\\r\\n'],
          ['HTTP/1.1 409 Conflict\\r\\ncontent-length: 2\\r\\n\\r\\n{}'],
        ];
        const server = createServer((socket) => {
          const pending = [...answers];
          socket.setNoDelay(true).on('data', async () => {
            for (const part of pending.shift()) await new Promise((resolve) => socket.write(part, () => setImmediate(resolve)));
          });
        });
        await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
        const { port } = server.address();
        const connection = new HttpConnection(port);
        const told = [];
        for (const _ of answers) {
          told.push(await new Promise((resolve) =>
            connection.send(httpRequest(port, 'GET', '/'), (status, body) => resolve([status, body.toString()]))));
        }
        return told;
      })()`,
    );
    expect(answers).toEqual([
      ['200', 'abcde'],
      ['304', ''],
      ['200', '3\r\nabc\r\n0\r\n\r\n'],
      ['204', ''],
      ['409', '{}'],
    ]);
  });
});

describe('the tables', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-spec-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const round = (perSecond: number): object => ({
    perSecond,
    p50: 0.5,
    p99: 2,
    serverBusy: 0.9,
    generatorBusy: 0.4,
    failed: 0,
  });
  const RESULTS = {
    date: '2026-01-02T03:04:05.678Z',
    machine: {
      cpu: 'A processor',
      cores: 2,
      memoryGiB: 8,
      kernel: 'linux 6',
      isPinned: true,
      release: '1.2.3',
      node: 'v20',
    },
    postgres: '17.1',
    databaseName: 'pgbench',
    rounds: 3,
    seconds: 4,
    cells: [
      { id: 'bare', group: 'yardsticks', name: 'bare node:http', isYardstick: true, results: { 64: [round(1000)] } },
      {
        id: 'get',
        group: 'key-values',
        name: 'GET',
        beside: { bare: 'bare', etcd: 'get-etcd' },
        floor: { beside: 'bare', ratio: 0.25 },
        aim: { beside: 'bare', ratio: 0.6 },
        results: { 1: [round(90)], 64: [round(900), round(100), round(300)] },
      },
      {
        id: 'lock',
        group: 'locks',
        name: 'lock + unlock',
        beside: { etcd: 'get-etcd' },
        floor: { beside: 'etcd', ratio: 1.5 },
        results: { 64: [round(10)] },
      },
      { id: 'get-etcd', group: 'key-values', name: 'etcd', isYardstick: true, absent: 'not installed', results: {} },
    ],
    footprint: {
      idleMb: 100,
      loadedMb: null,
      fromNothingMs: 2000,
      fromExistingMs: 900,
      limits: { fromNothingMs: 4000 },
    },
  };

  it('show medians, ratios, and whether floor and aim are met; what was not run is said to be so', () => {
    const file = join(folder, 'results.json');
    writeFileSync(file, JSON.stringify(RESULTS));
    const { stdout, stderr } = bench('--from', file, '--markdown');
    expect(stderr).toBe('');
    const rows = stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '));
    expect(rows[0]).toBe(
      'Release 1.2.3, 2026-01-02, A processor, 2 cores, 8 GiB, linux 6; node v20, PostgreSQL 17.1; medians of 3 rounds of 4 s; ' +
        'server and generator pinned to a core each.',
    );
    expect(rows).toContain('| GET | 1 | 90 | | | | | 0.5 | 2 | 0.9 | 10000 | 0.4 | 0 | | |');
    expect(rows).toContain(
      '| GET | 64 | 300 | 0.30 | | | | 0.5 | 2 | 0.9 | 3000 | 0.4 | 0 | 0.25 of bare node:http: met | 0.6 of bare node:http: missed |',
    );
    expect(rows).toContain(
      '| lock + unlock | 64 | 10 | | | | | 0.5 | 2 | 0.9 | 90000 | 0.4 | 0 | 1.5 of etcd: not run | |',
    );
    expect(rows).toContain('| etcd | | not run: not installed | | | | | | |');
    expect(rows).toContain('| ready from nothing | 2000 ms | 4000 ms |');
    expect(rows).toContain('| memory after load | unknown | |');
  });

  it('show how times grow with the store, and whether the requests keep within their limit', () => {
    const of = (ms: number, buffers: number, withHttp = true): object => ({
      buffers,
      sqlMs: [ms, ms * 2, ms / 2],
      httpMs: withHttp ? [ms + 1] : null,
    });
    const { date, machine, postgres } = RESULTS;
    const operations = [
      { id: 'a', name: 'kept', limit: 1.5, results: { 1000: of(1, 3), 1_000_000: of(1.5, 4) } },
      { id: 'b', name: 'missed', limit: 1.5, results: { 1000: of(1, 3), 1_000_000: of(4, 4) } },
      {
        id: 'c',
        name: 'slow',
        results: { 1000: of(1, 3, false), 1_000_000: { ...of(1, 0, false), failed: 'timeout' } },
      },
    ];
    const growth = { sizes: [1000, 1_000_000], revisions: 10, megabytes: { 1000: 1 }, load: [0.5, 1, 2], operations };
    const file = join(folder, 'growth.json');
    writeFileSync(file, JSON.stringify({ date, machine, postgres, growth }));
    const { stdout, stderr } = bench('--from', file, '--markdown');
    expect(stderr).toBe('');
    const rows = stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '));
    expect(rows[0]).toContain('; 10 revisions of each key-value; 1 MB for 1,000; load average 0.5, 1.0, 2.0; ');
    expect(rows).toContain('| kept | 1.000 | 1.500 | 1.50 | 3 | 4 |');
    expect(rows).toContain('| slow | 1.000 | timed out | | 3 | |');
    expect(rows).toContain('| kept | 2.000 | 2.500 | 1.25 | 1.5: met |');
    expect(rows).toContain('| missed | 2.000 | 5.000 | 2.50 | 1.5: missed |');
  });
});
