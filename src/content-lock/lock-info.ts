import { Inject, Injectable } from '@nestjs/common';
import { type Principal } from '../auth/principal.js';
import { UserDirectory } from '../auth/user-directory.js';
import { Settings } from '../config/settings.js';
import { type ContentRequest } from '../http/content/content-request.js';
import { type ContentLock } from './content-lock.js';

/** What `@types` of Plone's clients demand of every lock; there is one kind. */
const LOCK_NAME = 'plone.locking.stealable';
const UNLOCKED = Object.freeze({ locked: false, stealable: true });

/** Locks as the answers show them (content contract section 2). */
@Injectable()
export class LockInfo {
  constructor(
    private readonly users: UserDirectory,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  /** The lock as this caller may see it: only its holder sees the token. Members in the order of the documented examples. */
  of(lock: ContentLock | null, request: ContentRequest): Readonly<Record<string, unknown>> {
    if (!lock) return UNLOCKED;
    const { holder, timeout, isStealable, token, createdEpoch } = lock;
    const isIso = this.settings.contentLockTime === 'iso';
    const created = lock.created + (isIso ? 'Z' : '+00:00');
    return {
      created,
      creator: holder,
      // Who was deleted keeps the lock until it runs out.
      creator_name: this.users.find(holder)?.fullName ?? holder,
      creator_url: `${request.baseUrl}/@users/${encodeURIComponent(holder)}`,
      locked: true,
      name: LOCK_NAME,
      stealable: isStealable,
      time: isIso ? created : createdEpoch,
      timeout,
      ...(isHolder(request.principal, lock) && { token }),
    };
  }
}

const isHolder = ({ kind, name }: Principal, { holder }: ContentLock): boolean => kind === 'user' && name === holder;
