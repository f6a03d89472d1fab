// What is measured as the store grows: the service's own statements, and for some of them the requests that send them.
import { require } from '../machine.mjs';

const sql = require('../dist/src/key-value/key-value.sql.js');
const list = require('../dist/src/key-value/key-value-list.sql.js');
const { createSnapshot } = require('../dist/src/snapshot/snapshot.sql.js');
const { encodeKeyValueToken, encodeRevisionToken } = require('../dist/src/key-value/rules/continuation-token.js');

const ANY = { kind: 'any' };
const exactly = (value) => ({ kind: 'exact', value });
const startsWith = (value) => ({ kind: 'prefix', value });
const filter = (conditions) => ({ key: ANY, label: ANY, tags: [], before: null, ...conditions });
const page = (conditions, after = null) => list.listPage(filter(conditions), after);
const revisions = (conditions, after = null) => list.listRevisions(filter(conditions), after);
const isoTime = (instant) => new Date(instant).toISOString();
const past = ({ instant }) => ({ 'Accept-Datetime': isoTime(instant) });
const query = (parameters) => new URLSearchParams(parameters).toString().replaceAll('+', '%20');
const kvTarget = (parameters) => `/kv?${query(parameters)}`;
const keyTarget = ({ key, label }) => `/kv/${encodeURIComponent(key)}?${query({ label })}`;

/** The prefix that every key has: what a page far behind its beginning must not pass by again. */
const WIDE = 'app-';

let snapshots = 0;

/**
 * `sql` gives statement and values for a subject (see `store.mjs`), `http` target and headers. `limit` is the largest ratio to the
 * smallest store that is allowed; `isWrite` marks what changes the store.
 */
export const OPERATIONS = [
  {
    id: 'get',
    name: 'single GET',
    limit: 1.5,
    sql: ({ key, label }) => ({ statement: sql.FIND_MANY, values: [[key], [label]] }),
    http: (subject) => ({ target: keyTarget(subject) }),
  },
  {
    id: 'get-past',
    name: 'single GET in the past',
    limit: 1.5,
    sql: ({ key, label, instant }) => ({ statement: sql.FIND_AS_OF, values: [key, label, isoTime(instant)] }),
    http: (subject) => ({ target: keyTarget(subject), headers: past(subject) }),
  },
  {
    id: 'prefix',
    name: 'page of a prefix',
    limit: 1.5,
    sql: ({ prefix }) => page({ key: startsWith(prefix) }),
    http: ({ prefix }) => ({ target: kvTarget({ key: `${prefix}*` }) }),
  },
  {
    id: 'prefix-past',
    name: 'page of a prefix in the past',
    limit: 1.5,
    sql: ({ prefix, instant }) => page({ key: startsWith(prefix), before: instant }),
    http: (subject) => ({ target: kvTarget({ key: `${subject.prefix}*` }), headers: past(subject) }),
  },
  {
    id: 'deep',
    name: 'deep page of everything',
    sql: (position) => page({}, position),
    http: ({ key, label }) => ({ target: kvTarget({ after: encodeKeyValueToken(key, label) }) }),
  },
  {
    id: 'deep-prefix',
    name: 'deep page of a wide prefix',
    sql: (position) => page({ key: startsWith(WIDE) }, position),
    http: ({ key, label }) => ({ target: kvTarget({ key: `${WIDE}*`, after: encodeKeyValueToken(key, label) }) }),
  },
  {
    id: 'deep-past',
    name: 'deep page in the past',
    sql: (subject) => page({ before: subject.instant }, subject),
    http: (subject) => ({
      target: kvTarget({ after: encodeKeyValueToken(subject.key, subject.label) }),
      headers: past(subject),
    }),
  },
  {
    id: 'deep-label',
    name: 'deep page of a label',
    sql: (subject) => page({ label: exactly(subject.label) }, subject),
  },
  {
    id: 'deep-label-prefix',
    name: 'deep page of a label and a wide prefix',
    sql: (subject) => page({ key: startsWith(WIDE), label: exactly(subject.label) }, subject),
  },
  {
    id: 'tag',
    name: 'page of a tag that many have',
    sql: () => page({ tags: [{ name: 'tier', value: 'gold' }] }),
  },
  {
    id: 'rare-tag',
    name: 'page of a tag that 50 have',
    sql: () => page({ tags: [{ name: 'owner', value: 'somebody' }] }),
  },
  {
    id: 'labels',
    name: 'all labels',
    sql: () => list.listNames('label', ANY, null, null),
    http: () => ({ target: '/labels' }),
  },
  {
    id: 'labels-past',
    name: 'all labels in the past',
    sql: ({ instant }) => list.listNames('label', ANY, null, instant),
  },
  {
    id: 'keys',
    name: 'deep page of keys',
    sql: ({ key }) => list.listNames('key', startsWith(WIDE), key, null),
  },
  {
    id: 'revisions',
    name: 'revisions of one key',
    sql: ({ key, label }) => revisions({ key: exactly(key), label: exactly(label) }),
    http: ({ key, label }) => ({ target: `/revisions?${query({ key, label })}` }),
  },
  {
    id: 'deep-revisions',
    name: 'deep page of the revisions of a wide prefix',
    sql: (subject) => revisions({ key: startsWith(WIDE) }, subject),
    http: ({ key, label, revision }) => ({
      target: `/revisions?${query({ key: `${WIDE}*`, after: encodeRevisionToken(key, label, revision) })}`,
    }),
  },
  {
    id: 'snapshot',
    name: 'snapshot of 200 key-values',
    isWrite: true,
    sql: ({ prefix }) =>
      createSnapshot({
        name: `bench-${++snapshots}`,
        etag: 'bench',
        description: null,
        input: {
          filters: [{ key: startsWith(prefix), label: ANY, tags: [] }],
          filterTexts: [{ key: `${prefix}*`, label: null, tags: [] }],
          compositionType: 'key_label',
          retentionInSeconds: 3600,
          tags: '{}',
          description: null,
        },
        author: { actor: 'bench', address: '127.0.0.1', requestId: '00000000-0000-4000-8000-000000000000' },
      }),
  },
  {
    id: 'changes',
    name: 'whether anything has changed',
    // Transactions before this one are those that filled the store.
    sql: (_, { transaction }) => ({ statement: sql.STORE_CHANGES, values: [transaction] }),
  },
];
