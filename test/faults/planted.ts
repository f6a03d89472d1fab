import { type Patch } from './harness/build';
import { type Context } from './harness/context';
import { databaseKills } from './scenarios/database-kills';
import { cutConnections } from './scenarios/cuts';
import { lateAnswers, staleHolders } from './scenarios/pauses';
import { changingLine } from './scenarios/queue';
import { raceForKey, raceForLock } from './scenarios/races';
import { findInjectedReads, replicaKills } from './scenarios/replica-kills';
import { firstStart } from './scenarios/restarts';
import { soak } from './scenarios/soak';

/** A bug that is planted in a copy of the build, and the test that must find it (F0). */
export interface PlantedBug {
  readonly id: string;
  readonly title: string;
  readonly patches: readonly Patch[];
  readonly foundBy: string;
  /** What the violation must read like, so that another failure is not taken for the finding. */
  readonly sign: RegExp;
  /** Part of the usual load that is enough to find it. */
  readonly share: number;
  /** Only the long run is long enough to find it. */
  readonly isLong?: boolean;
  run(context: Context): Promise<void>;
}

const LEASE = 'lease/lease.sql.js';

/** Holds each try up between the drawing of its values and its insertion, so that others overtake it there. */
const HOLD_UP: Patch = {
  file: LEASE,
  text: '$4::bigint, $5::text, $6::text,',
  instead: `$4::bigint, $5::text || (SELECT '' FROM pg_sleep(0.02 * random())), $6::text,`,
};

/** Ends with the first violation; tries enough that one comes. */
const lockRace = (context: Context): Promise<void> => raceForLock(context, 200_000, true);

export const PLANTED: readonly PlantedBug[] = [
  {
    id: 'F0.1',
    title: 'fence taken from the sequence before the row is locked',
    patches: [
      HOLD_UP,
      {
        file: LEASE,
        text: 'owner = excluded.owner, fence = lease_next_fence(l.fence)',
        instead: 'owner = excluded.owner, fence = excluded.fence',
      },
    ],
    foundBy: 'F15',
    sign: /fence \d+ was granted after|higher fence/,
    share: 1,
    run: lockRace,
  },
  {
    id: 'F0.2',
    title: 'row of a lock deleted when it is released',
    patches: [
      HOLD_UP,
      {
        file: LEASE,
        text: 'SET owner = NULL, metadata = NULL, idempotency_key = NULL, actor = $5::text, request_id = $6::uuid,',
        instead:
          'SET key_digest = sha256(l.fence::text::bytea), owner = NULL, actor = $5::text, request_id = $6::uuid,',
      },
    ],
    foundBy: 'F15',
    // A row made anew has its time, too, from before the wait.
    sign: /fence \d+ was granted after|higher fence|had it until/,
    share: 1,
    run: lockRace,
  },
  {
    id: 'F0.3',
    title: 'now() in place of clock_timestamp()',
    patches: [
      HOLD_UP,
      {
        file: LEASE,
        text: 'fence = lease_next_fence(l.fence), granted_at = clock_timestamp(),',
        instead: 'fence = lease_next_fence(l.fence), granted_at = now(),',
      },
    ],
    foundBy: 'F15',
    sign: /had it until/,
    share: 1,
    run: lockRace,
  },
  {
    id: 'F0.4',
    title: 'condition of a compare-and-set judged before the statement',
    patches: [
      {
        file: 'key-value/key-value.repository.js',
        text: `        const tag = 'tag' in condition ? condition.tag : null;`,
        instead: `
        if (condition.kind === 'match') {
          const now = await this.findCurrent(key, label);
          if (now?.etag !== condition.tag) return { revision: null, row: now };
          condition = { kind: 'none' };
        }
        const tag = null;`,
      },
    ],
    foundBy: 'F15',
    sign: /^cas of .* named .* and followed/,
    share: 1,
    run: (context) => raceForKey(context, 2_000),
  },
  {
    id: 'F0.5',
    title: 'commits that do not wait for the disk',
    patches: [
      {
        file: 'database/connection.js',
        text: 'lock_timeout: 2000,',
        instead: `lock_timeout: 2000, synchronous_commit: 'off',`,
      },
    ],
    foundBy: 'F2',
    sign: /LOST/,
    share: 0.1,
    run: (context) => databaseKills.run(context),
  },
  {
    id: 'F0.6',
    title: 'reads from a cache that hears of changes late',
    patches: [
      {
        file: 'key-value/key-value.repository.js',
        text: 'return this.pointReads.find(key, label);',
        instead: `
        const name = key + '\\0' + label;
        this.cached ??= new Map();
        const hit = this.cached.get(name);
        if (hit !== undefined && hit.until > performance.now()) return Promise.resolve(hit.found);
        return this.pointReads.find(key, label).then((found) => {
          this.cached.set(name, { found, until: performance.now() + 20 });
          return found;
        });`,
      },
    ],
    foundBy: 'F5',
    sign: /^register-\d+: \{/,
    share: 0.1,
    run: (context) => replicaKills.run(context),
  },
  {
    id: 'F0.8',
    title: 'waiters looked for by a sub-query of the acquiring statement',
    patches: [
      { ...HOLD_UP, instead: HOLD_UP.instead.replace('0.02', '0.2') },
      // A call is a hint that may get lost; without it the moment lasts in which a lock is free and somebody waits for it.
      { file: 'lease/wake-up-calls.js', text: 'if (!this.isSending)', instead: 'if (false)' },
      {
        file: LEASE,
        text: "       WHERE ${(0, exports.isFree)('l', { owner: '$3', delayMs: '$9' })}\n",
        instead: `       WHERE (l.owner IS NULL OR l.expires_at <= clock_timestamp())
         AND NOT EXISTS (SELECT FROM lease_ticket t WHERE t.key_digest = l.key_digest)\n`,
      },
    ],
    foundBy: 'F17',
    sign: /a try was served before/,
    share: 1,
    run: (context) => changingLine(context, 1_500),
  },
  {
    id: 'F0.9',
    title: 'fences of writes not looked at',
    patches: [
      {
        file: 'lease/lock-fence.sql.js',
        text: `l.owner IS NOT NULL AND l.fence = ${'$'}{fence}::bigint AND l.expires_at > clock_timestamp() AS is_current`,
        instead: `${'$'}{fence}::bigint > 0 AS is_current`,
      },
      {
        file: 'lease/lock-fence.sql.js',
        text: 'SELECT before.is_current AND before.expires_at > clock_timestamp() AS is_current',
        instead: 'SELECT before.is_current AS is_current',
      },
    ],
    foundBy: 'F6',
    sign: /a write with the fence of a lost lock got 200/,
    share: 1,
    run: (context) => staleHolders(context, 1),
  },
  {
    id: 'F0.11',
    title: 'late grants told as successes',
    patches: [
      {
        file: 'distributed-lock/distributed-lock.service.js',
        text: 'const isInTime = performance.now() - sentAt < request.ttlMs;',
        instead: 'const isInTime = true;',
      },
    ],
    foundBy: 'F7',
    sign: /told as a success when it was over/,
    share: 1,
    run: (context) => lateAnswers(context, 4),
  },
  {
    id: 'F0.12',
    title: 'writes sent again when their connection broke',
    patches: [
      {
        file: 'database/database.js',
        text: '!statement.isWrite && attempt === 1',
        instead: 'attempt === 1',
      },
    ],
    foundBy: 'F8',
    sign: /was refused and made all the same/,
    share: 1,
    run: (context) => cutConnections(context, 50),
  },
  {
    id: 'F0.10',
    title: 'stale reads put into a recorded history',
    patches: [],
    foundBy: 'the register checker',
    sign: /^register-\d+: \{/,
    share: 0.05,
    run: findInjectedReads,
  },
  {
    id: 'F0.13',
    title: 'migrations without a lock',
    patches: [{ file: 'database/migrate.js', text: 'SELECT pg_advisory_xact_lock(', instead: 'SELECT abs(' }],
    foundBy: 'F19',
    sign: /ended before it served \(1\)|ran \d+ times/,
    share: 1,
    run: (context) => firstStart(context, 15, true),
  },
  {
    id: 'F0.14',
    title: 'names of locks kept for ever',
    patches: [
      {
        file: 'distributed-lock/distributed-lock.service.js',
        text: 'async tryKey(key, request, author) {',
        instead: `async tryKey(key, request, author) {
        (this.seen ??= new Map()).set(key.digest.toString('hex'), key);`,
      },
    ],
    foundBy: 'F21',
    // The beginning of a run alone keeps about ten.
    sign: /^\d{3,} bytes are kept for each name/,
    share: 0.15,
    isLong: true,
    run: (context) => soak.run(context),
  },
];

/** Mechanisms that the list of planted bugs names and that do not exist here. */
export const NOT_PLANTED = [
  {
    id: 'F0.7',
    what: 'change feed by "revision > last"',
    why: 'there is no change feed to plant it in',
    instead: 'nothing; it comes with the feed',
  },
] as const;
