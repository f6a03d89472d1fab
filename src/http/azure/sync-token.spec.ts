import { syncToken } from './sync-token.js';

/** What the Go client does: two parts, an identifier and a value around the first "=", and a 64-bit number. */
const parseLikeGo = (token: string): { id: string; value: string; version: bigint } => {
  const parts = token.split(';');
  if (parts.length !== 2) throw new Error('expected two parts');
  const [pair = '', number = ''] = parts;
  const equals = pair.indexOf('=');
  if (equals < 1 || !number.startsWith('sn=')) throw new Error('expected id=value;sn=number');
  const version = BigInt(number.slice('sn='.length));
  if (version !== BigInt.asIntN(64, version)) throw new Error('expected 64 bits');
  return { id: pair.slice(0, equals), value: pair.slice(equals + 1), version };
};

describe('syncToken', () => {
  it.each<[string | number | bigint, string]>([
    [0, 'latchkey=MA;sn=0'],
    ['1', 'latchkey=MQ;sn=1'],
    [42n, 'latchkey=NDI;sn=42'],
    ['9223372036854775807', 'latchkey=OTIyMzM3MjAzNjg1NDc3NTgwNw;sn=9223372036854775807'],
  ])('of revision %s is %s', (revision, token) => {
    expect(syncToken(revision)).toBe(token);
  });

  it.each(['0', '6871261', '9223372036854775807'])('of revision %s is read by every client', (revision) => {
    const token = syncToken(revision);
    // The JavaScript client's expression.
    expect(/^([^=]+)=([^;]+);sn=(\d+)$/.exec(token)?.[3]).toBe(revision);
    expect(parseLikeGo(token)).toMatchObject({ id: 'latchkey', version: BigInt(revision) });
    expect(parseLikeGo(token).value).toMatch(/^[A-Za-z0-9]+$/);
  });
});
