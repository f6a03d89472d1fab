import { Client } from 'pg';
import { type DatabaseAddress } from '../../src/database/connection';
import { atOnce } from '../support/at-once';
import { type AzureAnswer, AzureHttp } from '../support/azure-http';
import { BUILD, type Fault, migratedBy, plant, Replica } from '../support/replica';
import { READ_WRITE_KEY } from '../support/start-app';

const KEYS = 16;
const CLIENTS = 64;

/** What one request asked for, and what it was told. */
interface Told {
  readonly key: string;
  readonly kind: 'put' | 'put-same' | 'put-match' | 'put-new' | 'delete' | 'delete-match' | 'lock' | 'unlock';
  /** The entity tag that it named. */
  readonly tag: string | undefined;
  readonly answer: AzureAnswer;
}

interface Revision {
  readonly key: string;
  readonly value: string;
  readonly etag: string;
  readonly locked: boolean;
  readonly deleted: boolean;
  readonly request_id: string;
  readonly is_later: boolean | null;
}

/** Unlocking is as frequent as locking, so that about half of the time a key-value can be changed. */
const KINDS: readonly Told['kind'][] = [
  'put',
  'put-match',
  'put-new',
  'put-same',
  'put-match',
  'delete',
  'put',
  'delete-match',
  'put-new',
  'lock',
  'put-same',
  'unlock',
  'unlock',
];

/** Two processes on one database, and a view of it from outside. */
class Cluster {
  private constructor(
    private readonly replicas: readonly Replica[],
    private readonly clients: readonly AzureHttp[],
    private readonly sql: Client,
  ) {}

  static async start(build: string): Promise<Cluster> {
    const database: DatabaseAddress = await migratedBy(build);
    const replicas = await Promise.all([1, 2].map(() => Replica.start(database, build)));
    const sql = new Client(database);
    await sql.connect();
    return new Cluster(
      replicas,
      replicas.map(({ port }) => new AzureHttp(port, READ_WRITE_KEY)),
      sql,
    );
  }

  async stop(): Promise<void> {
    await this.sql.end();
    await Promise.all(this.replicas.map((replica) => replica.end()));
  }

  async race(rounds: number): Promise<Told[]> {
    const told: Told[] = [];
    for (let round = 0; round < rounds; round++) {
      const now = new Map(
        (await this.sql.query<{ key: string; etag: string }>('SELECT key, etag FROM key_value')).rows.map((row) => [
          row.key,
          row.etag,
        ]),
      );
      told.push(
        ...(await atOnce(CLIENTS, async (index) => {
          // Neighbours differ in their key, so that they can be decided together; every key meets every kind.
          const key = `raced-${(index * 7 + round) % KEYS}`;
          const kind = KINDS[(index * 5 + Math.floor(index / KEYS) * 3 + round * round) % KINDS.length]!;
          const tag = kind.endsWith('-match') ? (now.get(key) ?? 'none-yet') : undefined;
          return { key, kind, tag, answer: await this.send(index, key, kind, tag, `${round}/${index}`) };
        })),
      );
    }
    return told;
  }

  async history(): Promise<Revision[]> {
    const { rows } = await this.sql.query<Revision>(
      `SELECT key, value, etag, locked, deleted, request_id,
              last_modified > lag(last_modified) OVER (PARTITION BY key ORDER BY revision) AS is_later
         FROM key_value_revision ORDER BY key, revision`,
    );
    return rows;
  }

  /** How many commits made more than one revision. */
  async sharedCommits(): Promise<number> {
    const text = 'SELECT xid FROM key_value_revision GROUP BY xid HAVING count(*) > 1';
    return (await this.sql.query(text)).rows.length;
  }

  private send(index: number, key: string, kind: Told['kind'], tag: string | undefined, value: string) {
    const azure = this.clients[index % 2]!;
    const headers: Record<string, string> = tag === undefined ? {} : { 'if-match': `"${tag}"` };
    switch (kind) {
      case 'put':
      case 'put-match':
        return azure.put(`/kv/${key}`, { value }, { headers });
      case 'put-same':
        return azure.put(`/kv/${key}`, { value: 'same' });
      case 'put-new':
        return azure.put(`/kv/${key}`, { value }, { headers: { 'if-none-match': '*' } });
      case 'delete':
      case 'delete-match':
        return azure.delete(`/kv/${key}`, { headers });
      case 'lock':
        return azure.send('PUT', `/locks/${key}`);
      case 'unlock':
        return azure.send('DELETE', `/locks/${key}`);
    }
  }
}

const ANSWERS: Record<Told['kind'], readonly number[]> = {
  put: [200, 409],
  'put-same': [200, 409],
  'put-match': [200, 409, 412],
  'put-new': [200, 412],
  delete: [200, 204, 409],
  'delete-match': [200, 409, 412],
  lock: [200, 404],
  unlock: [200, 404],
};

/** What is wrong with the answers, given the history that the database has. */
function violations(told: readonly Told[], history: readonly Revision[]): string[] {
  const found: string[] = [];
  const made = new Map(history.map((revision, index) => [revision.request_id, index]));
  const byTag = new Map(history.map((revision) => [revision.etag, revision]));
  if (made.size !== history.length) found.push('a request made two revisions');
  if (byTag.size !== history.length) found.push('an entity tag came twice');
  let acknowledged = 0;
  for (const { key, kind, tag, answer } of told) {
    const say = (what: string): void => void found.push(`${kind} of ${key}, answered ${answer.status}: ${what}`);
    // A refusal for want of a connection is honest, if nothing was made; the test of the true build allows none.
    if (![...ANSWERS[kind], 503].includes(answer.status)) say('not an answer to this');
    const index = made.get(answer.headers['x-ms-request-id'] as string);
    if (answer.status !== 200) {
      if (index !== undefined) say('made a revision all the same');
      continue;
    }
    const own = index === undefined ? undefined : history[index]!;
    const former = index !== undefined && history[index - 1]?.key === key ? history[index - 1]! : undefined;
    const hadNone = former === undefined || former.deleted;
    if (!own) {
      // Nothing was altered: what it was answered with must have been there, and be what it asked for.
      const seen = byTag.get(answer.json.etag as string);
      if (!seen || seen.key !== key || seen.deleted) say('of what never was');
      else if (kind === 'put-same' ? seen.value !== 'same' : kind !== 'lock' && kind !== 'unlock')
        say('made no revision');
      continue;
    }
    acknowledged++;
    if (own.is_later === false) say('is not later than the one before');
    if (tag !== undefined && former?.etag !== tag) say('was made upon another than it named');
    if (kind === 'put-new' && !hadNone) say('was made upon one that was there');
    if (kind.startsWith('delete')) {
      if (!own.deleted || hadNone || answer.json.etag !== former.etag) say('did not answer what it deleted');
    } else if (answer.json.etag !== own.etag || answer.json.value !== own.value) say('answered another than it made');
    if (former?.locked && kind !== 'unlock') say('changed what was locked');
  }
  if (acknowledged !== history.length) found.push(`${history.length - acknowledged} revisions that nobody was told of`);
  return found;
}

const run = async (
  faults: readonly Fault[],
  rounds: number,
): Promise<{ found: string[]; shared: number; told: Told[] }> => {
  const cluster = await Cluster.start(faults.length > 0 ? plant(faults) : BUILD);
  try {
    const told = await cluster.race(rounds);
    return { found: violations(told, await cluster.history()), shared: await cluster.sharedCommits(), told };
  } finally {
    await cluster.stop();
  }
};

describe(`${CLIENTS} puts, deletes and locks of ${KEYS} keys at once, over two processes`, () => {
  it('have one winner for each entity tag, a history without gaps, and each the answer that is its own', async () => {
    const { found, shared, told } = await run([], 25);
    expect(found).toEqual([]);
    // None but for a standstill of the machine, which those who wait for a connection just then take for a database that is busy.
    expect(told.filter(({ answer }) => answer.status === 503).length).toBeLessThan(told.length / 10);
    // Otherwise little was decided together, or little was refused.
    expect(shared).toBeGreaterThan(20);
    for (const [kind, statuses] of Object.entries(ANSWERS)) {
      const got = new Set(told.filter((one) => one.kind === kind).map(({ answer }) => answer.status));
      got.delete(503);
      expect([kind, [...got].sort()]).toEqual([kind, statuses]);
    }
  }, 240_000);

  const SQL = 'key-value/key-value.sql.js';
  const LOCKING = 'FOR UPDATE OF k SKIP LOCKED';
  /** Gives others the time to come between the moment that a statement sees and its writing. */
  const HOLD_UP = 'WHERE pg_sleep(0.01) IS NOT NULL';

  it('are told apart so where statements are held up and nothing is wrong', async () => {
    expect((await run([{ file: SQL, text: LOCKING, instead: `${HOLD_UP} ${LOCKING}` }], 10)).found).toEqual([]);
  }, 240_000);

  it.each<{ name: string; fault: Fault }>([
    {
      name: 'rows that are judged without being locked',
      fault: { file: SQL, text: LOCKING, instead: HOLD_UP },
    },
    {
      name: 'conditions that are not looked at where puts are decided together',
      fault: {
        file: SQL,
        text: `(0, exports.conditionHolds)('seen', 'seen.condition', 'seen.condition_tag')`,
        instead: `'true'`,
      },
    },
    {
      name: 'answers given to the neighbour',
      fault: {
        file: 'key-value/grouped-puts.js',
        text: 'puts[Number(position) - 1]',
        instead: 'puts[Number(position) % puts.length]',
      },
    },
  ])(
    'would be found with $name',
    async ({ fault }) => {
      let found: string[] = [];
      // Whether requests meet where the fault shows is chance, each time anew.
      for (let turn = 0; turn < 15 && found.length === 0; turn++) found = (await run([fault], 15)).found;
      expect(found).not.toEqual([]);
    },
    240_000,
  );
});
