import { Delete, Get, Patch, Post } from '@nestjs/common';
import { mayOnContent } from '../auth/content-access.js';
import { ContentAuthGuard } from '../auth/content-auth.guard.js';
import { ChangesContent } from '../content/changes-content.decorator.js';
import { AuditLog } from '../events/audit-log.js';
import { type Answer, emptyAnswer } from '../http/answer.js';
import { ContentRequest } from '../http/content/content-request.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { type Problem } from '../problem/problem.js';
import { type ContentLock, type LockUser } from './content-lock.js';
import { GET_LOCK, REFRESH_LOCK, RELEASE_BY_TOKEN, TAKE_LOCK, UNLOCK } from './content-lock.openapi.js';
import { ContentLockService } from './content-lock.service.js';
import { endedByForce } from './lock-audit.js';
import { LockInfo } from './lock-info.js';
import { lockedByOther, notStealable, notTheHolder, refreshByOther } from './lock-problems.js';
import { parseLockOptions, parseRefresh, parseReleaseToken, parseUnlock } from './rules/lock-input.js';

/**
 * `@lock` of every object (content contract sections 1 to 5). Unless `Prefer: handling=strict` is sent, a second editor who locks or
 * unlocks gets 200 and the holder's lock: Volto empties its page on anything else.
 */
@SurfaceController('content', ContentAuthGuard)
export class ContentLockController {
  constructor(
    private readonly locks: ContentLockService,
    private readonly info: LockInfo,
    private readonly auditLog: AuditLog,
  ) {}

  @Get('@lock')
  @Describe(GET_LOCK)
  @Needs('view')
  async find(request: ContentRequest): Promise<Answer> {
    return this.answer(await this.locks.find(request.objectPath, request), request);
  }

  @Post('@lock')
  @Describe(TAKE_LOCK)
  @Needs('modify')
  @ChangesContent('nothing')
  async take(request: ContentRequest): Promise<Answer> {
    const options = parseLockOptions(request.body);
    const user = userOf(request);
    const { outcome, lock, object } = await this.locks.take(request.objectPath, user, options, request, (path) =>
      endedByForce(request, 'lock-stolen', path),
    );
    if (outcome === 'not-stealable') throw this.mayNotForce(request);
    if (outcome === 'held' && isStrict(request)) {
      throw lockedByOther(object.id, request.urlOf(object.path), this.info.of(lock, request));
    }
    return this.answer(lock, request);
  }

  @Patch('@lock')
  @Describe(REFRESH_LOCK)
  @Needs('modify')
  @ChangesContent('nothing')
  async refresh(request: ContentRequest): Promise<Answer> {
    const timeout = parseRefresh(request.body);
    const { outcome, lock } = await this.locks.refresh(request.objectPath, userOf(request), timeout, request);
    if (outcome === 'held') throw refreshByOther();
    return this.answer(lock, request);
  }

  @Delete('@lock')
  @Describe(UNLOCK)
  @Needs('modify')
  @ChangesContent('nothing')
  async release(request: ContentRequest): Promise<Answer> {
    const force = parseUnlock(request.body);
    const { outcome, lock } = await this.locks.release(request.objectPath, userOf(request), force, request, (path) =>
      endedByForce(request, 'lock-forced', path),
    );
    if (outcome === 'not-stealable') throw this.mayNotForce(request);
    if (outcome === 'held' && isStrict(request)) throw notTheHolder();
    return this.answer(lock, request);
  }

  /** For beacons, which pages send while they close: they carry no credentials, and nobody waits for the answer. */
  @Post('@lock-release')
  @Describe(RELEASE_BY_TOKEN)
  @Needs('login')
  @ChangesContent('nothing')
  async releaseByToken(request: ContentRequest): Promise<Answer> {
    await this.locks.releaseByToken(request.objectPath, parseReleaseToken(request.body), request);
    return emptyAnswer(204);
  }

  /** Only the right to break any lock would have ended this one: noted like the rights that routes need. */
  private mayNotForce(request: ContentRequest): Problem {
    this.auditLog.refused(request, 'content');
    return notStealable();
  }

  /** 200 with the lock. Who asks decides what is shown, so nobody else may keep it. */
  private answer(lock: ContentLock | null, request: ContentRequest): Answer {
    const headers = ['Content-Type', 'application/json; charset=utf-8', 'Cache-Control', 'no-store'];
    return { status: 200, headers, body: JSON.stringify(this.info.of(lock, request)) };
  }
}

const userOf = ({ principal }: ContentRequest): LockUser => ({
  name: principal.name,
  mayBreak: mayOnContent(principal, 'break'),
});

const isStrict = (request: ContentRequest): boolean => request.prefers('handling', 'strict');
