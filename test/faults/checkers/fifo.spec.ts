import { checkFifo, type LineEvent } from './fifo';

const event = (kind: LineEvent['kind'], ticket: number | null, key = 'k'): LineEvent => ({
  key,
  kind,
  ticket: ticket === null ? null : String(ticket),
});

it('is content with tickets that are served, or leave, in their order', () => {
  const events = [
    event('grant', null),
    event('ticket', 9),
    event('ticket', 10),
    event('ticket', 11),
    event('gone', 9),
    event('grant', 9),
    event('gone', 10),
    event('grant', 11),
    event('grant', null),
  ];
  expect(checkFifo(events)).toEqual({ violations: [], inLine: 2 });
});

it('finds a ticket that was served before an older one', () => {
  const { violations } = checkFifo([event('ticket', 9), event('ticket', 10), event('grant', 10)]);
  expect(violations).toEqual(['k: 10 was served before 9']);
});

it('finds a try that was served while somebody waited', () => {
  const { violations } = checkFifo([event('ticket', 9), event('grant', null)]);
  expect(violations).toEqual(['k: a try was served before 9']);
});

it('does not compare the line of one lock with another', () => {
  expect(checkFifo([event('ticket', 9), event('grant', null, 'other')]).violations).toEqual([]);
});
