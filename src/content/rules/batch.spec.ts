import { parseQuery } from '../../http/query-string.js';
import { batchingOf, parseBatch } from './batch.js';

it.each([
  ['', { start: 0, size: 25, isFull: false }],
  ['b_start=5&b_size=10', { start: 5, size: 10, isFull: false }],
  ['b_size=5000', { start: 0, size: 1000, isFull: false }],
  ['b_size=5000&fullobjects', { start: 0, size: 25, isFull: true }],
  ['fullobjects=0', { start: 0, size: 25, isFull: false }],
  ['include_items', { start: 0, size: 25, isFull: false }],
  ['include_items=False&b_size=x', null],
])('%j is the batch', (text, batch) => expect(parseBatch(parseQuery(text))).toEqual(batch));

it('an answer that is cut goes on where it ends', () => {
  const query = parseQuery('b_size=5000');
  const batch = parseBatch(query)!;
  expect(batchingOf('u', query, batch, 1000)).toBeUndefined();
  expect(batchingOf('u', query, batch, 1001)).toMatchObject({
    next: 'u?b_start=1000&b_size=1000',
    last: 'u?b_start=1000&b_size=1000',
  });
});
