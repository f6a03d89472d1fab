import { pino } from 'pino';
import { accessLine } from './access-log.js';
import { loggerOptions } from './logger.js';

const record = {
  requestId: '6e0b5d6c-7a1f-4f43-9a3a-0d6d2b7d8f11',
  clientRequestId: undefined,
  method: 'GET',
  target: '/kv/a?api-version=1.0',
  status: 200,
  ms: 0.7,
  actor: undefined,
  address: '127.0.0.1',
};

describe('accessLine', () => {
  beforeEach(() => jest.useFakeTimers({ now: Date.UTC(2026, 10, 21, 5, 6, 7, 8) }));
  afterEach(() => jest.useRealTimers());

  it.each([
    record,
    { ...record, clientRequestId: 'abc', actor: 'key:1' },
    {
      ...record,
      target: '/kv/"\\\u0000\u0085\ud800\u2028\n?a=ä',
      actor: '\u001b[31m',
      method: 'M-SEARCH',
      address: '',
    },
    { ...record, ms: 0, status: 304 },
  ])('is what the logger would write: %j', (given) => {
    const lines: string[] = [];
    pino(loggerOptions('info'), { write: (line: string) => void lines.push(line) }).info(given);
    expect(accessLine(given)).toBe(lines[0]);
  });
});
