import { errorRecord } from './error-record';

describe('an error in the log', () => {
  it('shows what it is, its code and its place in the database, and no row, statement or value', () => {
    const error = Object.assign(new TypeError('refused'), {
      code: '23514',
      table: 'key_value',
      constraint: 'c',
      detail: 'Failing row contains (secret)',
      where: 'secret',
      internalQuery: 'secret',
      query: 'secret',
      parameters: ['secret'],
      driverError: { detail: 'secret' },
    });
    const record = errorRecord(error);
    expect(record).toEqual({
      type: 'TypeError',
      message: 'refused',
      stack: error.stack,
      code: '23514',
      table: 'key_value',
      constraint: 'c',
    });
    expect(JSON.stringify(record)).not.toContain('secret');
  });

  it('shows its causes and its parts in the same way', () => {
    const part = Object.assign(new Error('connect'), { code: 'ECONNREFUSED', detail: 'secret' });
    const error = new Error('outer', { cause: new AggregateError([part], 'both') });
    expect(errorRecord(error)).toMatchObject({
      message: 'outer',
      cause: { type: 'AggregateError', message: 'both', errors: [{ message: 'connect', code: 'ECONNREFUSED' }] },
    });
    expect(JSON.stringify(errorRecord(error))).not.toContain('secret');
  });

  it('that is its own cause comes to an end', () => {
    const error = new Error('round');
    error.cause = error;
    expect(JSON.stringify(errorRecord(error)).length).toBeLessThan(100_000);
  });

  it.each(['text', 5, null, undefined])('that is none stays as it is: %p', (value) => {
    expect(errorRecord(value)).toBe(value);
  });
});
