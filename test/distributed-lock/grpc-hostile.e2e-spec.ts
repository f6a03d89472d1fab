import { framed, GrpcClient, type GrpcOutcome } from '../support/grpc-client';
import { data, FrameConnection, FrameType, goaway, headers, ping, reset, settings } from '../support/http2-frames';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';

const OK = 0;
const RESOURCE_EXHAUSTED = 8;
const INTERNAL_ERROR = 2;
const ROUNDS = 10;

let service: ServiceProcess;
let client: GrpcClient;
beforeAll(async () => {
  // Freed memory is overwritten, so that use of it does not stay without consequence.
  service = await ServiceProcess.start({ DATA_DIR: newDataDir(), LOG_LEVEL: 'warn', MALLOC_PERTURB_: '165' });
  client = new GrpcClient(service.grpcPort);
});
afterAll(() => client.close());

let count = 0;
/** On the connection that is open since the beginning, and on a new one. A process that was replaced would have another port. */
async function expectService(): Promise<void> {
  const fresh = new GrpcClient(service.grpcPort);
  const name = `resource-${++count}`;
  // The calls that were left behind may keep a slow machine's database busy for a while.
  const unlessBusy = async (call: () => Promise<GrpcOutcome>): Promise<GrpcOutcome> => {
    for (;;) {
      const outcome = await call();
      if (!outcome.message.endsWith(': the service cannot answer right now')) return outcome;
    }
  };
  expect(await unlessBusy(() => client.tryLock(name, 'o'))).toMatchObject({ code: OK, answer: { success: true } });
  expect(await unlessBusy(() => fresh.unlock(name, 'o'))).toMatchObject({ code: OK });
  fresh.close();
}

/** The ids of as many streams of a client. */
const ids = (number: number, first = 0): number[] =>
  Array.from({ length: number }, (_, index) => 1 + 2 * (first + index));
const each = (streams: number[], write: (stream: number) => Buffer): Buffer => Buffer.concat(streams.map(write));

/** `lockstore`, resource `r`, owner `o`, a minute. */
const message = framed(Buffer.from('\x0a\x09lockstore\x12\x01r\x1a\x01o\x20\x3c', 'latin1'));
const call = (stream: number): Buffer => Buffer.concat([headers(stream), data(stream, message, true)]);

describe('a client', () => {
  /** What is written, in this order; each part only once the server has read the one before. */
  const behaviours: [string, () => Buffer[]][] = [
    ['leaves 999 streams without a request', () => [each(ids(999), headers)]],
    ['opens more streams than it may', () => [each(ids(1_500), headers), each(ids(1_500), reset)]],
    ['resets all its streams', () => [each(ids(900), headers), each(ids(900), reset)]],
    ['resets each stream with its opening', () => [each(ids(400), (id) => Buffer.concat([headers(id), reset(id)]))]],
    ['resets calls under way', () => [each(ids(100), call), each(ids(100), reset)]],
    [
      'leaves messages unfinished',
      () => [each(ids(300), headers), each(ids(300), (id) => data(id, message.subarray(0, 9), id % 4 === 1))],
    ],
    ['leaves while calls are under way', () => [each(ids(100), call)]],
    ['calls methods that are not there, without a request', () => [each(ids(300), (id) => headers(id, 'None'))]],
    ['sends headers twice', () => [each(ids(100), headers), each(ids(100), headers)]],
    [
      'sends data after a reset',
      () => [each(ids(100), (id) => Buffer.concat([headers(id), reset(id), data(id, message, true)]))],
    ],
    [
      'sends more pings and settings than it needs',
      () => [each(ids(20), headers), each(ids(500), () => Buffer.concat([ping(), settings()]))],
    ],
    [
      'says goodbye and goes on',
      () => [headers(1), Buffer.concat([goaway(0), each(ids(100, 1), call)]), each(ids(100, 200), call)],
    ],
    [
      'gives up with an error and goes on',
      () => [each(ids(100), headers), Buffer.concat([goaway(INTERNAL_ERROR), each(ids(100, 100), call)])],
    ],
    [
      'gives up in the middle of resets',
      () => [
        each(ids(100), headers),
        Buffer.concat([each(ids(50), reset), goaway(INTERNAL_ERROR), each(ids(50, 50), reset)]),
      ],
    ],
    ['sends no frames', () => [Buffer.alloc(2_000, 0xff)]],
  ];

  it.each(behaviours)('that %s does not end the service', async (_name, parts) => {
    for (let round = 0; round < ROUNDS; round++) {
      const connection = await FrameConnection.open(service.grpcPort);
      for (const part of parts()) {
        const { pongs } = connection;
        connection.write(part, ping());
        await waitFor(() => connection.pongs > pongs || connection.isEnding || connection.isClosed);
      }
      connection.socket.destroy();
    }
    await expectService();
  });

  it('that is cut off anywhere does not end the service', async () => {
    const bytes = each(ids(100), call);
    for (let round = 0; round < ROUNDS; round++) {
      const connection = await FrameConnection.open(service.grpcPort);
      connection.socket.write(bytes.subarray(0, Math.floor((bytes.length * (round + 0.5)) / ROUNDS)));
      await waitFor(() => connection.received.length > 0);
      connection.socket.resetAndDestroy();
    }
    await expectService();
  });

  it('that sends oversized messages is told so, and does not end the service', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const sender = new GrpcClient(service.grpcPort);
      const outcomes = await Promise.all([1, 2].map(() => sender.tryLock('x'.repeat(4 * 1024 * 1024), 'o')));
      expect(outcomes.map(({ code }) => code)).toEqual([RESOURCE_EXHAUSTED, RESOURCE_EXHAUSTED]);
      sender.close();
    }
    await expectService();
  });

  // Refusing it in the middle of reading is what spoils node's memory; whether that shows is a matter of luck.
  it('is never refused a stream behind its goodbye', async () => {
    const connection = await FrameConnection.open(service.grpcPort);
    connection.write(headers(1), ping());
    await waitFor(() => connection.pongs === 1);
    connection.write(goaway(0), call(3), ping());
    await waitFor(() => connection.pongs === 2);
    await waitFor(() => connection.received.some(({ type, stream }) => type === FrameType.HEADERS && stream === 3));
    expect(connection.received.filter(({ type }) => type === FrameType.RST_STREAM)).toEqual([]);
    connection.write(reset(1));
    // With its last stream the connection ends.
    await waitFor(() => connection.isClosed);
  });

  it('that gives up with an error is disconnected', async () => {
    const connection = await FrameConnection.open(service.grpcPort);
    connection.write(each(ids(100), headers), goaway(INTERNAL_ERROR), ping());
    await waitFor(() => connection.isClosed);
  });
});

it('ends in order after all that', async () => {
  expect(await service.stop()).toBe(0);
});
