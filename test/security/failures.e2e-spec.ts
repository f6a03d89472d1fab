import { pino } from 'pino';
import { loggerOptions } from '../../src/logging/logger';
import { startApp, type TestApp } from '../support/start-app';
import { CMS_USERS, basic, type Call, INSIDES, SECRETS, send } from './callers';

/**
 * Failures that nobody planned, made in the database, where the errors say most: a row that a constraint refuses comes back in full in the
 * error's detail.
 */

const VALUE = SECRETS.value;
let app: TestApp;
const log: string[] = [];

beforeAll(async () => {
  app = await startApp(
    { CMS_USERS },
    undefined,
    {},
    pino(loggerOptions('trace'), { write: (line) => void log.push(line) }),
  );
});
afterAll(() => app.close());

const editor = { authorization: basic('ed', SECRETS.passwords.editor) };
const signedPut = (target: string, body: string): Call => ({
  method: 'PUT',
  target,
  body,
  headers: app.azure.sign('PUT', target, Buffer.from(body), `127.0.0.1:${app.port}`),
});

const CALLS: [table: string, call: () => Call][] = [
  ['key_value', () => signedPut('/kv/secret?api-version=1.0', JSON.stringify({ value: VALUE }))],
  ['key_value_revision', () => signedPut('/kv/other?api-version=1.0', JSON.stringify({ value: VALUE }))],
  [
    'snapshot',
    () =>
      signedPut(
        '/snapshots/s?api-version=2023-11-01',
        JSON.stringify({ filters: [{ key: 'none' }], tags: { tag: VALUE } }),
      ),
  ],
  [
    'lease',
    () => ({
      method: 'POST',
      target: '/v1.0-alpha1/lock/lockstore',
      body: JSON.stringify({ resourceId: 'r', lockOwner: VALUE, expiryInSeconds: 60 }),
    }),
  ],
  [
    'lease',
    () => ({
      method: 'PUT',
      target: '/api/v1/lock-stores/lockstore/locks/r',
      body: JSON.stringify({ owner: 'o', ttlMs: 60_000, metadata: { secret: VALUE } }),
    }),
  ],
  [
    'content_object',
    () => ({
      method: 'POST',
      target: '/',
      body: JSON.stringify({ '@type': 'Document', title: 'T', text: VALUE }),
      headers: editor,
    }),
  ],
];

describe.each(CALLS)('a row of %s that the database refuses', (table, call) => {
  it('is a 500 that tells nothing of the inside, and the log tells the cause without the row', async () => {
    const lines = log.length;
    await app.sql(`ALTER TABLE ${table} ADD CONSTRAINT never CHECK (false) NOT VALID`);
    try {
      const { status, text, rawHeaders } = await send(app.port, call());
      const whole = `${rawHeaders.join('\n')}\n${text}`;
      expect(status).toBe(500);
      expect(INSIDES.exec(whole)?.[0]).toBeUndefined();
      expect(whole).not.toContain('never');
      expect(whole).not.toContain(VALUE);
    } finally {
      await app.sql(`ALTER TABLE ${table} DROP CONSTRAINT never`);
    }
    const written = log.slice(lines).join('');
    expect(written).toContain('"level":"error"');
    expect(written).toContain('violates check constraint');
    expect(written).not.toContain(VALUE);
    expect(written).not.toContain('Failing row contains');
    expect(written).not.toContain(editor.authorization);
  });
});
