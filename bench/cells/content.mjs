// Content: lock and unlock of an object, and saving one under its lock, as an editor who is logged in.
import { MAX_CONNECTIONS } from '../command-line.mjs';
import { runScript, statement } from '../database/script.mjs';
import { httpRequest } from '../generator/http-connection.mjs';
import { load } from '../load.mjs';
import { require } from '../machine.mjs';
import { EDITOR } from '../stage.mjs';

const { FIND_BY_PATH, guardedStatements } = require('../dist/src/content/content.sql.js');
const { TAKE, RELEASE } = require('../dist/src/content-lock/content-lock.sql.js');
const { LOCK_GUARD } = require('../dist/src/content-lock/lock-hooks.js');

/** Objects that are locked and unlocked, and others that stay locked while they are saved. */
const KINDS = { lock: 'b', save: 'c' };
const idOf = (kind, index) => `bench-${kind}-${index}`;
/** 32 hexadecimal digits. */
const uidOf = (kind, index) => KINDS[kind] + String(index).padStart(31, '0');

let authorization;
/** @throws unless the answer is one of success */
async function call(port, method, path, body, headers = {}) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', ...(authorization && { Authorization: authorization }), ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function makeObjects({ port }) {
  const { token } = await call(port, 'POST', '/@login', { login: EDITOR.name, password: EDITOR.password });
  authorization = `Bearer ${token}`;
  for (const kind of Object.keys(KINDS)) {
    for (let index = 0; index < MAX_CONNECTIONS; index++) {
      const object = { '@type': 'Document', id: idOf(kind, index), UID: uidOf(kind, index), title: 'To begin with' };
      await call(port, 'POST', '/', object);
    }
  }
}

/** Saves that each change the object; the token stays good as long as the lock is held. */
async function saves(port, index) {
  const path = `/${idOf('save', index)}`;
  const { token } = await call(port, 'POST', `${path}/@lock`, {});
  return ['one', 'other'].map((word) =>
    httpRequest(
      port,
      'PATCH',
      path,
      { title: `The ${word} title`, text: `${word} `.repeat(40) },
      { Authorization: authorization, 'Lock-Token': token },
    ).toString('base64'),
  );
}

// PostgreSQL alone.
const user = `'${EDITOR.name}'::text`;
const id = (kind) => `ARRAY['bench-${kind}-' || (:client_id)::text]`;
const uid = (kind) => `'${KINDS[kind]}' || lpad((:client_id)::text, 31, '0')`;
const locate = (kind) => statement(FIND_BY_PATH, [id(kind)]);
const take = (kind) =>
  statement(TAKE, [uid(kind), user, 'NULL::integer', 'NULL::boolean', 'false', 'true', '600::integer']);
const LOCK_SCRIPT = {
  each: [locate('lock'), take('lock'), locate('lock'), statement(RELEASE, [uid('lock'), user, 'false', 'true'])],
};
const SAVE_SCRIPT = {
  numbers: { v: 1_000_000_000 },
  once: [
    take('save'),
    { sql: `SELECT token::text AS token FROM content_lock WHERE uid = ${uid('save')}`, keeps: true },
  ],
  each: [
    locate('save'),
    statement(guardedStatements(LOCK_GUARD).update, [
      ...[uid('save'), user, '(:token)::text', 'false', 'NULL::bigint[]', 'NULL::text', `'Title ' || (:v)::text`],
      ...['NULL::text', `ARRAY['text']`, `'{"text": "' || repeat('other ', 40) || (:v)::text || '"}'`],
      ...['2097152::integer', 'NULL::text', 'NULL::text', 'NULL::text[]'],
    ]),
  ],
};

const databaseCell = (cellId, name, script) => ({
  id: cellId,
  name,
  isYardstick: true,
  on: 'database',
  needs: 'service',
  prepare: makeObjects,
  run: ({ address }, { connections, seconds }) => runScript(address, script, connections, seconds),
});

export const CONTENT_CELLS = [
  {
    id: 'content-lock',
    name: 'content lock + unlock',
    on: 'service',
    prepare: makeObjects,
    run: ({ port }, job) => {
      const own = Array.from({ length: job.connections }, (_, index) => ({
        path: `/${idOf('lock', index)}`,
        authorization,
      }));
      return load({ ...job, way: 'content', port, own });
    },
    beside: { bare: 'bare-pair', database: 'content-lock-database' },
  },
  databaseCell('content-lock-database', 'database alone: content lock + unlock', LOCK_SCRIPT),
  {
    id: 'content-save',
    name: 'content PATCH with token',
    on: 'service',
    prepare: makeObjects,
    run: async ({ port }, job) => {
      const clients = Array.from({ length: job.connections }, (_, index) => saves(port, index));
      return load({ ...job, way: 'repeat', port, ownRequests: await Promise.all(clients), status: '204' });
    },
    beside: { bare: 'bare', database: 'content-save-database' },
  },
  databaseCell('content-save-database', 'database alone: content PATCH', SAVE_SCRIPT),
].map((cell) => ({ ...cell, group: 'content' }));
