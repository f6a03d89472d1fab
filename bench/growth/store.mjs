// A store of a given size, written past the service: every key-value of it with the same number of revisions.
import pg from 'pg';

export const REVISIONS = 10;
const LABELS = ['canary', 'dev', 'production', 'staging', 'test'];
const APPLICATIONS = 20;
/** Key-values of one service of one application: what a prefix selects, two pages. A size has a whole number of services. */
export const PER_SERVICE = 200;
/** Key-values that have the rare tag, whatever the size. */
const RARE = 50;
/** A prime larger than any size: neighbours by name are written far apart, as changes of many clients are. */
const STRIDE = 15_485_863;
const DAY_MS = 86_400_000;

/** What the operations ask for: evenly spread over the store, equally many of each size. */
const SUBJECTS = 100;

/** SQL for the names of all key-values, in the order in which each round of changes meets them. `number` is the order of names. */
const names = (size) => `
  SELECT place, number,
         'app-' || lpad((number / ${PER_SERVICE} % ${APPLICATIONS})::text, 2, '0')
           || '/service-' || lpad((number / ${PER_SERVICE})::text, 5, '0')
           || '/setting-' || lpad((number % ${PER_SERVICE} / ${LABELS.length})::text, 2, '0') AS key,
         (ARRAY['${LABELS.join("','")}'])[number % ${LABELS.length} + 1] AS label,
         CASE WHEN number % ${size / RARE} = 0 THEN '{"owner":"somebody"}'
              WHEN number % 10 = 3 THEN '{"tier":"gold"}' ELSE '{}' END AS tags
    FROM (SELECT place, place * ${STRIDE} % ${size} AS number FROM generate_series(0::bigint, ${size - 1}) place) numbered`;

const keyOf = (number) => {
  const service = Math.floor(number / PER_SERVICE);
  const setting = Math.floor((number % PER_SERVICE) / LABELS.length);
  const digits = (value, count) => String(value).padStart(count, '0');
  return `app-${digits(service % APPLICATIONS, 2)}/service-${digits(service, 5)}/setting-${digits(setting, 2)}`;
};

/** Fills the migrated, empty tables. Each round of changes takes a day; the last one ends now. */
export async function fill(address, size) {
  const client = new pg.Client(address);
  await client.connect();
  const run = (text) => client.query(text);
  await run(`SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'`);
  const { rows: indexes } = await run(`
    SELECT indexname AS name, indexdef AS definition FROM pg_indexes
     WHERE tablename IN ('key_value', 'key_value_revision') AND indexname NOT LIKE '%_pkey'`);
  for (const { name } of indexes) await run(`DROP INDEX ${name}`);
  await run(`CREATE TEMP TABLE name AS ${names(size)}`);
  const last = (REVISIONS - 1) * size;
  const end = Date.now();
  const time = (round) => {
    const from = new Date(end - (REVISIONS - round) * DAY_MS).toISOString();
    return `'${from}'::timestamptz + place * interval '${86_400 / size} seconds'`;
  };
  const etag = (revision) => `md5((${revision})::text) || 'bench-of-growth'`;
  for (let round = 0; round < REVISIONS; round++) {
    const revision = `place + 1 + ${round * size}`;
    await run(`
      INSERT INTO key_value_revision (revision, key, label, value, tags, locked, deleted, etag, last_modified, actor, address, request_id)
      SELECT ${revision}, key, label, 'value ' || number || ' of round ${round}', tags, false, false, ${etag(revision)},
             ${time(round)}, 'bench', '127.0.0.1', '00000000-0000-4000-8000-000000000000'
        FROM name`);
  }
  await run(`
    INSERT INTO key_value (key, label, value, tags, etag, revision, last_modified)
    SELECT key, label, 'value ' || number || ' of round ${REVISIONS - 1}', tags, ${etag(`place + 1 + ${last}`)},
           place + 1 + ${last}, ${time(REVISIONS - 1)}
      FROM name`);
  await run(`SELECT setval('key_value_revision_seq', ${REVISIONS * size})`);
  for (const { definition } of indexes) await run(definition);
  // As autovacuum leaves it, which would otherwise come in the middle of the measurement.
  await run('VACUUM (ANALYZE) key_value');
  await run('VACUUM (ANALYZE) key_value_revision');
  await run('CHECKPOINT');
  const { rows } = await run('SELECT pg_database_size(current_database()) AS bytes');
  await client.end();
  return { megabytes: Math.round(Number(rows[0].bytes) / 2 ** 20), subjects: subjectsOf(size, end) };
}

function subjectsOf(size, end) {
  return Array.from({ length: SUBJECTS }, (_, index) => {
    const number = Math.floor(((index + 0.5) * size) / SUBJECTS);
    const key = keyOf(number);
    return {
      key,
      label: LABELS[number % LABELS.length],
      prefix: key.slice(0, key.lastIndexOf('/') + 1),
      revision: String(Math.floor(size * REVISIONS * 0.6)),
      // Some key-values had been changed in that round, others not yet.
      instant: Math.round(end - (REVISIONS / 2 - 0.5) * DAY_MS),
    };
  });
}
