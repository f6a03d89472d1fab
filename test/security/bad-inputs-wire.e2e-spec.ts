import { setTimeout as pause } from 'node:timers/promises';
import * as fc from 'fast-check';
import { answerOf, RawGrpc, type RawGrpcAnswer } from '../support/grpc-client';
import { FrameConnection } from '../support/http2-frames';
import { type RawAnswer, RawConnection } from '../support/raw-http';
import { faultOf, isBare, type SurfaceName } from './answer-shapes';
import { AttackedService, MAX_STALL_MS } from './attacked-service';
import { surfaceOf, wireText } from './bad-http';
import { INSIDES, SECRETS } from './callers';
import { type BadCall, badCall } from './nasty-grpc';

/**
 * Bytes that are no request: HTTP/1.1 that no parser takes, gRPC messages that are none, and HTTP/2 frames out of order. `BAD_INPUTS` and
 * `BAD_INPUTS_SEED` are those of the generated requests; of these here there are fewer.
 */
const COUNT = Math.ceil(Number(process.env['BAD_INPUTS'] ?? 5_500) / 10);
const SEED = Number(process.env['BAD_INPUTS_SEED'] ?? 20_261_121);
/** Milliseconds after which somebody who gets no answer has been forgotten; node's parser itself waits ten seconds for headers. */
const PATIENCE_MS = 20_000;
/** Milliseconds after which a sender says that no more will come. */
const IDLE_MS = 100;
const STALL_ATTEMPTS = 4;
const SURFACES: readonly SurfaceName[] = ['azure', 'dapr', 'native', 'content'];

let attacked: AttackedService;
beforeAll(async () => {
  attacked = await AttackedService.start();
  await attacked.makeTargets();
});
afterAll(() => attacked?.stop());

const counts: Record<string, number> = {};
const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);
afterAll(() => void process.stdout.write(`${JSON.stringify(counts)}\n`));

/** What an input does itself it does each time, a starved machine does not: what stalled is sent again. */
async function expectNoStall(again: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { stallMs } = await attacked.figures();
    if (stallMs <= MAX_STALL_MS) return;
    const stall = `the event loop stood still for ${Math.round(stallMs)} ms of computing`;
    if (attempt === STALL_ATTEMPTS) throw new Error(stall);
    await again();
  }
}

const orNothing = <T>(answer: Promise<T>): Promise<T | 'nothing'> => {
  const timer = new AbortController();
  return Promise.race([
    answer.finally(() => timer.abort()),
    pause(PATIENCE_MS, 'nothing' as const, { signal: timer.signal, ref: false }).catch(() => 'nothing' as const),
  ]);
};

describe('malformed HTTP', () => {
  /** Everything that comes back until the service closes the connection. */
  async function exchange(text: string): Promise<RawAnswer[]> {
    const connection = await RawConnection.open(attacked.port);
    // The service may well wait for more; it is told that there is none.
    const giveUp = setTimeout(() => connection.end(), IDLE_MS);
    try {
      connection.send(text);
      const answers: RawAnswer[] = [];
      for (;;) {
        const answer = await orNothing(connection.answer().catch(() => null));
        if (answer === 'nothing') throw new Error(`still open after ${PATIENCE_MS} ms`);
        if (answer === null) break;
        answers.push(answer);
      }
      expect(connection.unread).toBe('');
      return answers;
    } finally {
      clearTimeout(giveUp);
      connection.destroy();
    }
  }

  function judge(answer: RawAnswer, text: string): void {
    const faults = [undefined, ...SURFACES].map((surface) => faultOf(surface, 'GET', answer, text));
    if (!faults.includes(undefined)) throw new Error(`${faults.join(', ')}: ${JSON.stringify(answer)}`);
  }

  const HOST = 'Host: x\r\n';
  it.each<[string, string, number]>([
    ['nothing but line ends', '\r\n\r\n\r\n', 0],
    ['a line without words', ' \r\n\r\n', 400],
    ['another version', `GET /healthz HTTP/3.0\r\n${HOST}\r\n`, 400],
    ['another protocol', 'SSH-2.0-OpenSSH_9.0\r\n\r\n', 400],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['HTTP/2 without a word', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['an unknown method', `FROB /healthz HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a method in small letters', `get /healthz HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a NUL in the target', `GET /kv/a\0b HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a blank in the target', `GET /kv/a b HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a NUL in a header', `GET /healthz HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`, 400],
    ['a line feed alone in a header', `GET /healthz HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`, 400],
    ['a header without a colon', `GET /healthz HTTP/1.1\r\n${HOST}nonsense\r\n\r\n`, 400],
    ['a header without a name', `GET /healthz HTTP/1.1\r\n${HOST}: x\r\n\r\n`, 400],
    ['a blank before the colon', `GET /healthz HTTP/1.1\r\n${HOST}X : x\r\n\r\n`, 400],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    [
      'length and chunks',
      `PUT /kv/a HTTP/1.1\r\n${HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['two lengths', `PUT /kv/a HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 400],
    ['a negative length', `PUT /kv/a HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n`, 400],
    ['a length in hexadecimal', `PUT /kv/a HTTP/1.1\r\n${HOST}Content-Length: 0x3\r\n\r\nabc`, 400],
    ['a length beyond all numbers', `PUT /kv/a HTTP/1.1\r\n${HOST}Content-Length: ${'9'.repeat(30)}\r\n\r\n`, 400],
    ['chunks of no length', `PUT /kv/a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`, 400],
    ['chunks twice', `PUT /kv/a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, 400],
    ['an unknown encoding', `PUT /kv/a HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
    ['33 KB of one header', `GET /healthz HTTP/1.1\r\n${HOST}X: ${'a'.repeat(33_000)}\r\n\r\n`, 431],
    ['33 KB of target', `GET /${'a'.repeat(33_000)} HTTP/1.1\r\n${HOST}\r\n`, 431],
  ])('%s is refused and ends the connection', async (_what, text, status) => {
    const answers = await exchange(text);
    for (const answer of answers) expect([answer.status, isBare(answer)]).toEqual([status, true]);
    expect(answers).toHaveLength(status === 0 ? 0 : 1);
    await expectNoStall(() => exchange(text));
  });

  const good = (method: string, target: string, body?: string): string =>
    wireText({ method, target, headers: [], ...(body === undefined ? {} : { body }), sender: 'master' }, attacked.port);
  const bases = (): string[] => [
    good('GET', '/kv?key=target&api-version=2023-11-01'),
    good('PUT', '/kv/target?api-version=2023-11-01', '{"value":"v"}'),
    good('POST', '/v1.0-alpha1/lock/lockstore', '{"resourceId":"target","lockOwner":"o","expiryInSeconds":60}'),
    good('PATCH', '/api/v1/lock-stores/lockstore/locks/target', '{"owner":"holder","ttlMs":60000}'),
    good('GET', '/folder/page'),
  ];
  /** Follows each of them, so that the service has a reason to close the connection when it could read what came before. */
  const LAST = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const splinter = fc.oneof(
    fc.constantFrom(
      '\0',
      '\r',
      '\n',
      '\r\n',
      '\r\n\r\n',
      ' ',
      '\t',
      ':',
      '%',
      '\x7f',
      '\xff',
      '0\r\n\r\n',
      'HTTP/1.1',
      'Host: y\r\n',
    ),
    fc.constantFrom(
      'Content-Length: 0\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Connection: close\r\n',
      'Expect: 100-continue\r\n',
      'Upgrade: h2c\r\n',
    ),
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 6 }),
  );
  const change = fc.record({ at: fc.noBias(fc.nat(999)), cut: fc.nat(12), put: splinter });

  it(
    `requests with bytes put in and taken out (${COUNT}, seed ${SEED}) get one refusal, or what they still mean`,
    async () => {
      const whole = bases();
      await fc.assert(
        fc.asyncProperty(
          fc.nat(whole.length - 1),
          fc.array(change, { minLength: 1, maxLength: 3 }),
          async (base, changes) => {
            let text = whole[base]!;
            for (const { at, cut, put } of changes) {
              const start = Math.floor((at / 1_000) * text.length);
              text = text.slice(0, start) + put + text.slice(start + cut);
            }
            const answers = await exchange(text + LAST);
            for (const answer of answers) judge(answer, text);
            count(`HTTP ${answers.map(({ status }) => status).join('+')}`);
            await expectNoStall(() => exchange(text + LAST));
          },
        ),
        { numRuns: COUNT, seed: SEED },
      );
    },
    PATIENCE_MS + COUNT * 100,
  );

  it('a target that is an authority or a star, and a wish for another protocol, harm nobody', async () => {
    for (const line of [
      'CONNECT a:1 HTTP/1.1',
      'OPTIONS * HTTP/1.1',
      'GET * HTTP/1.1',
      'GET http: HTTP/1.1',
      'GET //// HTTP/1.1',
    ]) {
      const text = `${line}\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
      for (const answer of await exchange(text)) {
        if (line.startsWith('OPTIONS')) expect(answer.status).toBeLessThan(500);
        else if (!isBare(answer)) expect(faultOf(surfaceOf(line.split(' ')[1]!), 'GET', answer, text)).toBeUndefined();
      }
    }
  });
});

describe('gRPC', () => {
  /** What the calls may end with; those with a text only with it: it is the contract's own, or grpc-js's for what is no message. */
  const CODES: Readonly<Record<string, RegExp>> = {
    0: /^(?:OK)?$/,
    1: /./,
    // A long text is cut off.
    3: /^(?:ExpiryInSeconds is not positive in|ResourceId is empty in|LockOwner is empty in) lock store .*$|^lock store .*(?: not found|…)$|^metadata key must have |^metadata value is longer |^there are too many metadata labels/s,
    4: /./,
    8: /./,
    12: /./,
    13: /^failed to (?:try acquiring|release) lock: input key\/keyPrefix '.*(?:' can't contain '\|\|'|…)$|^Error deserializing request|^Invalid grpc-timeout value /s,
    16: /^Unauthorized$/,
  };
  let client: RawGrpc;

  async function send({ path, headers, bytes }: BadCall): Promise<RawGrpcAnswer | string> {
    if (!client || client.session.destroyed || client.session.closed) client = RawGrpc.open(attacked.grpcPort);
    const stream = client.openStream(path, headers);
    const answer = answerOf(stream).catch(({ message }: Error) => message);
    stream.end(bytes);
    const outcome = await orNothing(answer);
    stream.close();
    return outcome;
  }

  async function judge(call: BadCall): Promise<void> {
    const { bytes } = call;
    const outcome = await send(call);
    await expectNoStall(() => send(call));
    if (outcome === 'nothing') throw new Error(`no answer after ${PATIENCE_MS} ms`);
    if (typeof outcome === 'string') return count(`gRPC ${outcome}`);
    const { 'grpc-status': code, 'grpc-message': words = '' } = outcome.trailers as Readonly<Record<string, string>>;
    const status = Number(outcome.headers[':status']);
    count(`gRPC ${status} ${String(code)}`);
    if (status >= 500) throw new Error(`HTTP ${status}`);
    const text = decodeURIComponent(words);
    if (code === undefined ? status === 200 : !CODES[String(code)]?.test(text)) {
      throw new Error(`code ${String(code)}: ${text} (HTTP ${status})`);
    }
    const inside = INSIDES.exec(text)?.[0];
    if (inside !== undefined && !bytes.includes(inside)) throw new Error(`something of the inside: ${text}`);
  }

  it(
    `calls that are none (${2 * COUNT}, seed ${SEED}) end with a code that the contract has`,
    async () => {
      await fc.assert(fc.asyncProperty(badCall(SECRETS.lockToken), judge), { numRuns: 2 * COUNT, seed: SEED });
      client.close();
    },
    PATIENCE_MS + COUNT * 200,
  );

  it(
    `frames in any order and of any content (${COUNT}, seed ${SEED}) end their own connection at most`,
    async () => {
      const frame = fc
        .record({
          type: fc.integer({ min: 0, max: 12 }),
          flags: fc.nat(255),
          stream: fc.constantFrom(0, 1, 1, 1, 2, 3, 0x7fffffff),
          payload: fc.uint8Array({ maxLength: 30 }),
          lengthOff: fc.constantFrom(0, 0, 0, 0, 1, 70_000),
        })
        .map(({ type, flags, stream, payload, lengthOff }) => {
          const header = Buffer.alloc(9);
          header.writeUIntBE(payload.length + lengthOff, 0, 3);
          header[3] = type;
          header[4] = flags;
          header.writeUInt32BE(stream, 5);
          return Buffer.concat([header, payload]);
        });
      await fc.assert(
        fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 6 }), async (frames) => {
          const send = async (): Promise<void> => {
            const connection = await FrameConnection.open(attacked.grpcPort);
            connection.write(...frames);
          };
          await send();
          // Twice there and back: by then its process has read them.
          await attacked.figures();
          await expectNoStall(send);
        }),
        { numRuns: COUNT, seed: SEED },
      );
    },
    PATIENCE_MS + COUNT * 100,
  );
});

describe('after all of them', () => {
  it('the service has come to no harm', () => attacked.expectUnharmed());
});
