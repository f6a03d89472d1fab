import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type ChangeGuard, ContentHooks } from '../content/content-hooks.js';
import { type ContentObject } from '../content/content-object.js';
import { type ContentRequest } from '../http/content/content-request.js';
import { type ContentLock } from './content-lock.js';
import { ContentLockRepository } from './content-lock.repository.js';
import { LockInfo } from './lock-info.js';
import { changeRefused } from './lock-problems.js';

/** Every change of content asks the lock, inside the statement that makes it. */
export const LOCK_GUARD: ChangeGuard = {
  verdictSql: (uid, user, token) => `content_lock_verdict(${uid}, ${user}, ${token})`,
  changedSql: (uid, user, token, release) => `content_lock_changed(${uid}, ${user}, ${token}, ${release})`,
  refusal: changeRefused,
};

const NO_LOCKS: ReadonlyMap<string, ContentLock> = new Map();

/** Puts the locks where content asks for them: before its changes, and into its answers under the key `lock`. */
@Injectable()
export class LockHooks implements OnModuleInit {
  constructor(
    private readonly hooks: ContentHooks,
    private readonly locks: ContentLockRepository,
    private readonly info: LockInfo,
  ) {}

  onModuleInit(): void {
    this.hooks.useGuard(LOCK_GUARD);
    this.hooks.addSerializer((objects, request, isNew) => this.membersOf(objects, request, isNew));
  }

  private async membersOf(
    objects: readonly ContentObject[],
    request: ContentRequest,
    isNew: boolean,
  ): Promise<Record<string, unknown>[]> {
    const locks = isNew ? NO_LOCKS : await this.locks.findLocks(objects.map(({ uid }) => uid));
    return objects.map(({ uid }) => ({ lock: this.info.of(locks.get(uid) ?? null, request) }));
  }
}
