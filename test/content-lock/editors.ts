import { randomUUID } from 'node:crypto';
import { type ContentAnswer, ContentHttp, USERS } from '../content/content-http';
import { startApp, type TestApp } from '../support/start-app';

/** The service and the people who work with it: two editors, a manager, a reader and somebody unknown. */
export interface Editors {
  readonly app: TestApp;
  readonly alice: ContentHttp;
  readonly bob: ContentHttp;
  readonly mia: ContentHttp;
  readonly rita: ContentHttp;
  readonly nobody: ContentHttp;
}

export async function startEditors(env: Record<string, string> = {}, shared?: TestApp): Promise<Editors> {
  const app = await startApp({ CMS_USERS: USERS, ...env }, shared);
  const nobody = new ContentHttp(app.port);
  return {
    app,
    alice: nobody.as('alice'),
    bob: nobody.as('bob'),
    mia: nobody.as('mia'),
    rita: nobody.as('rita'),
    nobody,
  };
}

/** Adds a document, or what is said, of a new name to the site root. @returns the path of its address */
export const freshObject = ({ alice }: Pick<Editors, 'alice'>, object: object = {}): Promise<string> =>
  alice.add('/', { id: `o-${randomUUID()}`, title: 'New', ...object });

/** Takes the lock and expects to get it. @returns the lock as its holder sees it */
export async function lock(by: ContentHttp, path: string, options?: object): Promise<LockJson> {
  const { status, json, text } = await by.post(`${path}/@lock`, options);
  if (status !== 200 || typeof json.token !== 'string') throw new Error(`POST ${path}/@lock got ${status} ${text}`);
  return json as LockJson;
}

/** The lock of an object as somebody sees it. */
export async function lockSeenBy(by: ContentHttp, path: string): Promise<Record<string, unknown>> {
  const { status, json, text } = await by.get(`${path}/@lock`);
  if (status !== 200) throw new Error(`GET ${path}/@lock got ${status} ${text}`);
  return json as Record<string, unknown>;
}

export interface LockJson {
  created: string;
  creator: string;
  creator_name: string;
  creator_url: string;
  locked: true;
  name: string;
  stealable: boolean;
  time: number;
  timeout: number;
  token: string;
}

export const uidOf = async (by: ContentHttp, path: string): Promise<string> => (await by.get(path)).json.UID as string;

/** Moves everything that is stored of an object's lock into the past by so many seconds: time passes without waiting for it. */
export async function age({ app, mia }: Editors, path: string, seconds: number): Promise<void> {
  const rows = await app.sql(
    `UPDATE content_lock
        SET issued_at = issued_at - $2 * interval '1 second', created = created - $2 * interval '1 second',
            expires_at = expires_at - $2 * interval '1 second'
      WHERE uid = $1 RETURNING 1`,
    [await uidOf(mia, path), seconds],
  );
  if (rows.length !== 1) throw new Error(`nobody locked ${path}`);
}

/** Ends the lock of an object as its time would. */
export const expire = (editors: Editors, path: string): Promise<void> => age(editors, path, 86_401);

export const UNLOCKED = { locked: false, stealable: true };

/** 403 to the letter: the object is locked and the right token was not sent (content contract section 5). */
export function expectLocked(answer: ContentAnswer): void {
  expect([answer.status, answer.text]).toEqual([403, '{"error":{"type":"Forbidden","message":"Resource is locked."}}']);
}

export const withToken = (token: string): Record<string, string> => ({ 'Lock-Token': token });
export const STRICT = { Prefer: 'handling=strict' };
