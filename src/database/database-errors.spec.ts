import { outcomeUnknown } from '../problem/catalogue.js';
import { Problem } from '../problem/problem.js';
import {
  isConnectionLost,
  isReadOnly,
  isRefusalOfContent,
  isRetryable,
  sqlState,
  toDatabaseProblem,
} from './database-errors.js';

const failed = (code: string): Error => Object.assign(new Error('secret text of the server'), { code });
const kindOf = (error: unknown, isWrite: boolean, wasSent = true): string => {
  const problem = toDatabaseProblem(error, isWrite, wasSent);
  return problem instanceof Problem ? problem.kind : 'defect';
};

describe('a failed statement', () => {
  it.each([
    ['57014', 'unavailable', 'unavailable'],
    ['53300', 'unavailable', 'unavailable'],
    ['53100', 'unavailable', 'unavailable'],
    ['25006', 'unavailable', 'unavailable'],
    ['40001', 'unavailable', 'unavailable'],
    ['40P01', 'unavailable', 'unavailable'],
    ['55P03', 'unavailable', 'unavailable'],
    ['57P01', 'unavailable', 'outcome-unknown'],
    ['57P02', 'unavailable', 'outcome-unknown'],
    ['08006', 'unavailable', 'outcome-unknown'],
    ['ECONNRESET', 'unavailable', 'outcome-unknown'],
    ['EPIPE', 'unavailable', 'outcome-unknown'],
    ['22021', 'invalid-argument', 'invalid-argument'],
    ['22P05', 'invalid-argument', 'invalid-argument'],
    ['54000', 'invalid-argument', 'invalid-argument'],
    ['23505', 'defect', 'defect'],
    ['42P01', 'defect', 'defect'],
  ])('with %s is %s for a read and %s for a write', (code, read, write) => {
    expect([kindOf(failed(code), false), kindOf(failed(code), true)]).toEqual([read, write]);
  });

  it('that was never sent was not executed, whatever broke', () => {
    for (const code of ['57P01', '08006', 'ECONNRESET', 'EPIPE']) {
      expect(kindOf(failed(code), true, false)).toBe('unavailable');
    }
  });

  it('shows nothing of its cause, and keeps it for the log', () => {
    const error = failed('57P01');
    const problem = toDatabaseProblem(error, true, true) as Problem;
    expect(problem.cause).toBe(error);
    expect(`${problem.title} ${problem.detail}`).not.toContain('secret');
  });

  it('that has a name already keeps it', () => {
    const problem = outcomeUnknown(new Error());
    expect(toDatabaseProblem(problem, false, false)).toBe(problem);
    expect(isConnectionLost(problem)).toBe(false);
  });
});

describe('sqlState', () => {
  it('takes no code of the operating system for one', () => {
    expect(['EPIPE', 'ENOENT', 'EBUSY', '', 5, undefined].map((code) => sqlState({ code }))).toEqual(
      Array(6).fill(undefined),
    );
    expect(sqlState(null)).toBeUndefined();
    expect(['08006', '57P01', 'HV000', 'P0001', 'XX000'].map((code) => sqlState({ code }))).toEqual([
      '08006',
      '57P01',
      'HV000',
      'P0001',
      'XX000',
    ]);
  });

  it('tells which statements may be run again, and which server takes no writes', () => {
    expect(['40001', '40P01', '55P03', '57014', '23505'].map((code) => isRetryable(failed(code)))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect([isReadOnly(failed('25006')), isReadOnly(failed('57P01'))]).toEqual([true, false]);
  });

  it('tells what a statement was refused for: rows and values, or the state of the server', () => {
    const refusedForContent = ['40001', '40P01', '55P03', '22021', '22P02', '54000', '23505', 'XX000'];
    const refusedForState = ['57014', '57P01', '53100', '53200', '53300', '25006', '08006'];
    expect(refusedForContent.filter((code) => !isRefusalOfContent(failed(code)))).toEqual([]);
    expect(refusedForState.filter((code) => isRefusalOfContent(failed(code)))).toEqual([]);
    expect(isRefusalOfContent(failed('ECONNRESET'))).toBe(false);
    expect(isRefusalOfContent(outcomeUnknown(new Error()))).toBe(false);
  });
});
