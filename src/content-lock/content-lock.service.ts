import { Injectable } from '@nestjs/common';
import { type ContentObject } from '../content/content-object.js';
import { ContentService, type ContentUrls } from '../content/content.service.js';
import { noSuchObject } from '../http/content/content-problem.js';
import { lockNotHeld } from '../problem/catalogue.js';
import {
  type ContentLock,
  type ListedLock,
  type LockOptions,
  type LockResult,
  type LockUser,
  type RefreshOutcome,
  type ReleaseOutcome,
  type TakeOutcome,
} from './content-lock.js';
import { ContentLockRepository, type ForcedEvent, type LockFilter } from './content-lock.repository.js';

/** What became of an operation, and the object that it was about. */
export interface LockedObject<Outcome> extends LockResult<Outcome> {
  readonly object: ContentObject;
}

/** What the audit log is to say of the end of a lock on the object with this path. */
export type ForcedEventOf = (path: readonly string[]) => ForcedEvent;

/** Locks of the objects that paths lead to. What an outcome is called on the wire is the controller's business. */
@Injectable()
export class ContentLockService {
  constructor(
    private readonly content: ContentService,
    private readonly locks: ContentLockRepository,
  ) {}

  /** Null while nobody holds it. @throws 404 */
  async find(path: readonly string[], urls: ContentUrls): Promise<ContentLock | null> {
    const { uid } = await this.content.get(path, urls);
    return (await this.locks.findLocks([uid])).get(uid) ?? null;
  }

  /** @throws 404 */
  take(
    path: readonly string[],
    user: LockUser,
    options: LockOptions,
    urls: ContentUrls,
    eventOf: ForcedEventOf,
  ): Promise<LockedObject<TakeOutcome>> {
    return this.operate(path, urls, (object) => this.locks.take(object.uid, user, options, eventOf(object.path)));
  }

  /** @throws 404 */
  refresh(
    path: readonly string[],
    user: LockUser,
    timeout: number | null,
    urls: ContentUrls,
  ): Promise<LockedObject<RefreshOutcome>> {
    return this.operate(path, urls, ({ uid }) => this.locks.refresh(uid, user, timeout));
  }

  /** @throws 404 */
  release(
    path: readonly string[],
    user: LockUser,
    force: boolean,
    urls: ContentUrls,
    eventOf: ForcedEventOf,
  ): Promise<LockedObject<ReleaseOutcome>> {
    return this.operate(path, urls, (object) => this.locks.release(object.uid, user, force, eventOf(object.path)));
  }

  /** Whoever knows the token may; a stale one does nothing. @throws 404 */
  async releaseByToken(path: readonly string[], token: string, urls: ContentUrls): Promise<void> {
    const { uid } = await this.content.get(path, urls);
    await this.locks.releaseByToken(uid, token);
  }

  /** A page of the locks in force; `next` is the `after` of the one behind it. */
  async list(
    filter: LockFilter,
    after: string,
    limit: number,
  ): Promise<{ items: readonly ListedLock[]; next: string | null }> {
    const found = await this.locks.list(filter, after, limit + 1);
    const items = found.slice(0, limit);
    return { items, next: found.length > limit ? items.at(-1)!.uid : null };
  }

  /** Ends the lock of an object whoever holds it, and gives it as it was. @throws 404 when there is none */
  async breakLock(uid: string, eventOf: ForcedEventOf): Promise<{ lock: ContentLock; object: ContentObject }> {
    // PostgreSQL takes no U+0000, and no uid has it.
    const object = uid.includes('\0') ? null : await this.content.findByUid(uid);
    const lock = object && (await this.locks.breakLock(uid, eventOf(object.path)))?.former;
    if (!lock) throw lockNotHeld();
    return { lock, object };
  }

  private async operate<Outcome>(
    path: readonly string[],
    urls: ContentUrls,
    act: (object: ContentObject) => Promise<LockResult<Outcome> | null>,
  ): Promise<LockedObject<Outcome>> {
    const object = await this.content.get(path, urls);
    const result = await act(object);
    if (!result) throw noSuchObject(urls.urlOf(path), urls.urlOf([]));
    return { ...result, object };
  }
}
