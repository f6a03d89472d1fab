import { parseQuery } from '../../http/query-string.js';
import { batchingOf, isSet, isSwitchedOff, parseBatch } from './batch.js';

it.each([
  ['', false, { start: 0, size: 25 }],
  ['b_start=5&b_size=10', false, { start: 5, size: 10 }],
  ['b_size=5000', false, { start: 0, size: 1000 }],
  ['b_size=5000', true, { start: 0, size: 25 }],
])('%j is the batch', (text, isFull, batch) => expect(parseBatch(parseQuery(text), isFull)).toEqual(batch));

it('flags are set by their name alone and switched off by a word', () => {
  expect([isSet(parseQuery('x'), 'x'), isSet(parseQuery('x=0'), 'x'), isSet(parseQuery(''), 'x')]).toEqual([
    true,
    false,
    false,
  ]);
  expect([isSwitchedOff(parseQuery('x'), 'x'), isSwitchedOff(parseQuery('x=False'), 'x')]).toEqual([false, true]);
});

it('an answer that is cut goes on where it ends', () => {
  const query = parseQuery('b_size=5000');
  const batch = parseBatch(query, false);
  expect(batchingOf('u', query, batch, 1000)).toBeUndefined();
  expect(batchingOf('u', query, batch, 1001)).toMatchObject({
    next: 'u?b_start=1000&b_size=1000',
    last: 'u?b_start=1000&b_size=1000',
  });
});
