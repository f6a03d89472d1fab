import { pino } from 'pino';
import { loadSettings } from '../config/load-settings.js';
import { type AuditLog } from '../events/audit-log.js';
import { Metrics } from '../metrics/metrics';
import { Problem } from '../problem/problem.js';
import { type FailedAttempt, FailedLogins } from './failed-logins.js';

const ATTEMPT: FailedAttempt = { surface: 'content', credentials: 'password', user: 'ed' };

function make(limit: number): { logins: FailedLogins; lines: { level: number; msg: string }[]; audited: unknown[][] } {
  const audited: unknown[][] = [];
  const auditLog = { loginFailed: (...noted: unknown[]) => audited.push(noted) } as unknown as AuditLog;
  const lines: { level: number; msg: string }[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return {
    logins: new FailedLogins(
      loadSettings({ FAILED_LOGINS_PER_MINUTE: String(limit) }, false),
      logger,
      new Metrics(),
      auditLog,
    ),
    audited,
    lines,
  };
}

/** Null while the failure is only counted, else the refusal. */
function fail(logins: FailedLogins, remoteAddress: string): Problem | null {
  try {
    logins.record({ id: 'request', remoteAddress }, ATTEMPT);
    return null;
  } catch (error) {
    return error as Problem;
  }
}

describe('FailedLogins', () => {
  it('counts up to the limit and refuses beyond it, saying until when', () => {
    let now = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
    try {
      const { logins } = make(3);
      expect([1, 2, 3].map(() => fail(logins, '10.0.0.1'))).toEqual([null, null, null]);
      now = 1_500;
      const problem = fail(logins, '10.0.0.1')!;
      expect(problem).toMatchObject({ kind: 'too-many-failed-logins', status: 429 });
      expect(Object.fromEntries(problem.headers)).toMatchObject({ 'retry-after-ms': '58500', 'Retry-After': '59' });
    } finally {
      clock.mockRestore();
    }
  });

  it('says beforehand whose next failure is refused', () => {
    const { logins } = make(2);
    const seen = [1, 2, 3].map(() => {
      const before = logins.isOver({ remoteAddress: '10.0.0.1' });
      fail(logins, '10.0.0.1');
      return before;
    });
    expect(seen).toEqual([false, false, true]);
  });

  it('counts each address by itself, in every spelling', () => {
    const { logins } = make(1);
    fail(logins, '10.0.0.1');
    expect(fail(logins, '::ffff:10.0.0.1')?.status).toBe(429);
    expect(fail(logins, '10.0.0.2')).toBeNull();
    fail(logins, '2001:db8::1');
    expect(fail(logins, '2001:db8::ffff:2')?.status).toBe(429);
    expect(fail(logins, '2001:db8:0:1::1')).toBeNull();
  });

  it('begins anew a minute after the first failure, not after the last', () => {
    let now = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
    try {
      const { logins } = make(1);
      fail(logins, '10.0.0.1');
      now = 59_999;
      expect(fail(logins, '10.0.0.1')?.status).toBe(429);
      now = 60_000;
      expect(logins.isOver({ remoteAddress: '10.0.0.1' })).toBe(false);
      expect(fail(logins, '10.0.0.1')).toBeNull();
    } finally {
      clock.mockRestore();
    }
  });

  it('logs each failure within the limit, then one warning', () => {
    const { logins, lines } = make(2);
    for (let count = 0; count < 50; count++) fail(logins, '10.0.0.1');
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      [30, 'login failed'],
      [30, 'login failed'],
      [40, 'too many failed logins from this address'],
    ]);
  });

  it('tells the audit log of each failure within the limit, and once that there are too many', () => {
    const { logins, audited } = make(2);
    for (let count = 0; count < 50; count++) fail(logins, '10.0.0.1');
    const request = { id: 'request', remoteAddress: '10.0.0.1' };
    expect(audited).toEqual([
      [request, ATTEMPT, 'login-failed'],
      [request, ATTEMPT, 'login-failed'],
      [request, ATTEMPT, 'logins-limited'],
    ]);
  });
});
