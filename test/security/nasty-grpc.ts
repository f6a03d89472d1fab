import { type OutgoingHttpHeaders } from 'node:http2';
import * as fc from 'fast-check';
import { framed } from '../support/grpc-client';
import { nastyText } from './nasty';

/** One call over gRPC: what follows its headers is sent as it is. */
export interface BadCall {
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly bytes: Buffer;
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

const field = (number: number, wireType: number, bytes: readonly number[]): number[] => [
  ...varint(BigInt(number * 8 + wireType)),
  ...bytes,
];
const textField = (number: number, bytes: Uint8Array): number[] =>
  field(number, 2, [...varint(BigInt(bytes.length)), ...bytes]);
const numberField = (number: number, value: bigint): number[] => field(number, 0, varint(value));

/** `TryLockRequest`; `UnlockRequest` has the first three, and the other two messages have texts at their first numbers. */
const GOOD: readonly number[][] = [
  textField(1, Buffer.from('lockstore')),
  textField(2, Buffer.from('fresh')),
  textField(3, Buffer.from('holder')),
  numberField(4, 60n),
];

const NUMBERS = [0n, 1n, -1n, -5n, 60n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n];
const BAD_BYTES = ['ff', 'c080', 'eda080', 'f8888080', 'e282', '00', ''].map((hex) => Buffer.from(hex, 'hex'));

const badField: fc.Arbitrary<readonly number[]> = fc.oneof<fc.MaybeWeightedArbitrary<readonly number[]>[]>(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 6 }), nastyText).map(([n, text]) => textField(n, Buffer.from(text))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(...BAD_BYTES))
      .map(([n, bytes]) => textField(n, bytes)),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(...NUMBERS))
      .map(([n, value]) => numberField(n, value)),
  },
  // Lengths that are not there, wire types that do not fit or do not exist, numbers without an end.
  {
    weight: 1,
    arbitrary: fc.constantFrom([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x0a, 0x05, 0x61], [0x22, 0x01, 0x3c]),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      [0x0b, 0x0c],
      [0x0f],
      [0x0e, 0x00],
      [0x00],
      [0x08, ...Array.from({ length: 11 }, () => 0xff)],
    ),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => [...bytes]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      Array.from({ length: 3_000 }, () => 0x0b),
      textField(2, Buffer.alloc(100_000, 0x61)),
    ),
  },
);

const message = fc
  .tuple(fc.subarray([...GOOD]), fc.boolean(), fc.array(badField, { maxLength: 2 }))
  .map(([some, isWhole, bad]) => Buffer.from([...(isWhole ? GOOD : some), ...bad].flat()));

const withPrefix = (flag: number, length: number, bytes: Buffer): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, bytes]);
};

const bytes: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 12, arbitrary: message.map(framed) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(1, 2, 255), message).map(([flag, body]) => withPrefix(flag, body.length, body)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1, 7, 5_000_000, 0xffffffff), message)
      .map(([length, body]) => withPrefix(0, length, body)),
  },
  { weight: 1, arbitrary: fc.tuple(message, message).map((both) => Buffer.concat(both.map(framed))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map((each) => Buffer.from(each)) },
);

const SERVICE = '/dapr.proto.runtime.v1.Dapr';
const path = fc.oneof(
  {
    weight: 14,
    arbitrary: fc
      .constantFrom('TryLockAlpha1', 'UnlockAlpha1', 'TryLockAlpha1', 'UnlockAlpha1', 'GetMetadata', 'SetMetadata')
      .map((name) => `${SERVICE}/${name}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      `${SERVICE}/__proto__`,
      `${SERVICE}/constructor`,
      '/',
      '//',
      '/__proto__',
      '*',
      `${SERVICE}/${'x'.repeat(9_000)}`,
      `${SERVICE}/TryLockAlpha1/..`,
    ),
  },
);

const HEADERS: readonly (readonly [string, string])[] = [
  ['grpc-timeout', '1'],
  ['grpc-timeout', '99999999999H'],
  ['grpc-timeout', '-1S'],
  ['grpc-timeout', '0n'],
  ['grpc-encoding', 'gzip'],
  ['grpc-encoding', 'nonsense'],
  ['grpc-accept-encoding', '__proto__'],
  ['grpc-trace-bin', '!!!'],
  ['x-bin', '%%%'],
  ['traceparent', '00-0-0-0'],
  ['content-type', 'application/grpc+proto'],
  ['content-type', 'application/json'],
  ['content-type', ''],
  ['content-length', '3'],
  ['user-agent', 'a'.repeat(5_000)],
  ['__proto__', 'x'],
  ['authorization', 'Basic !!!'],
  ['dapr-api-token', 'wrong'],
  ['dapr-api-token', ''],
  ['x-long', 'a'.repeat(30_000)],
];

/** @param token the right one; each header that is generated may stand in its place */
export const badCall = (token: string): fc.Arbitrary<BadCall> =>
  fc
    .record({
      path,
      headers: fc.oneof(
        { weight: 4, arbitrary: fc.constant<readonly (readonly [string, string])[]>([]) },
        { weight: 1, arbitrary: fc.array(fc.constantFrom(...HEADERS), { maxLength: 2 }) },
      ),
      bytes,
    })
    .map(({ headers, ...call }) => ({ ...call, headers: { 'dapr-api-token': token, ...Object.fromEntries(headers) } }));
