import { onStopWish } from './stop-wish';

let told: string[];
let unlisten: () => void;
beforeEach(() => {
  jest.useFakeTimers();
  told = [];
  unlisten = onStopWish(
    (signal) => told.push(signal),
    () => told.push('later'),
  );
});
afterEach(() => {
  unlisten();
  jest.useRealTimers();
});

it('takes what comes within a second for the same wish', () => {
  process.emit('SIGINT', 'SIGINT');
  process.emit('SIGINT', 'SIGINT');
  jest.advanceTimersByTime(1000);
  process.emit('SIGTERM', 'SIGTERM');
  expect(told).toEqual(['SIGINT']);
});

it('tells of a later one, once', () => {
  process.emit('SIGTERM', 'SIGTERM');
  jest.advanceTimersByTime(1001);
  process.emit('SIGTERM', 'SIGTERM');
  process.emit('SIGTERM', 'SIGTERM');
  jest.advanceTimersByTime(1001);
  process.emit('SIGINT', 'SIGINT');
  expect(told).toEqual(['SIGTERM', 'later']);
});

it('leaves the signals to Node afterwards', () => {
  const heard = (): number => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM');
  const before = heard();
  unlisten();
  expect(heard()).toBe(before - 2);
});

it('takes a terminal that was closed for a wish to stop where it is asked to', () => {
  const before = process.listenerCount('SIGHUP');
  const wishes: string[] = [];
  const end = onStopWish(
    (signal) => wishes.push(signal),
    () => undefined,
    'with-hangup',
  );
  expect(process.listenerCount('SIGHUP')).toBe(before + 1);
  process.emit('SIGHUP', 'SIGHUP');
  end();
  expect([wishes, told]).toEqual([['SIGHUP'], []]);
  expect(process.listenerCount('SIGHUP')).toBe(before);
});
