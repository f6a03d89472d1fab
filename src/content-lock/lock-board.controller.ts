import { Delete, Get } from '@nestjs/common';
import { NativeAuthGuard } from '../auth/native-auth.guard.js';
import { AuditLog } from '../events/audit-log.js';
import { type Answer } from '../http/answer.js';
import { ApiRequest } from '../http/api-request.js';
import { parseReason } from '../http/native/page-query.js';
import { decodePathSegment } from '../http/query-string.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { ContentLockService } from './content-lock.service.js';
import { boardRead, endedByForce } from './lock-audit.js';
import { brokenAnswer, listAnswer } from './lock-board.answers.js';
import { BREAK_CONTENT_LOCK, LIST_CONTENT_LOCKS } from './lock-board.openapi.js';
import { parseLockBoardQuery } from './rules/lock-board-query.js';

/** `/api/v1/content-locks` (native API contract section 2): who holds which object, and an end to it. Shows no tokens. */
@SurfaceController('native', NativeAuthGuard)
export class LockBoardController {
  constructor(
    private readonly locks: ContentLockService,
    private readonly auditLog: AuditLog,
  ) {}

  @Get('api/v1/content-locks')
  @Describe(LIST_CONTENT_LOCKS)
  @Needs('content-locks')
  async list(request: ApiRequest): Promise<Answer> {
    const { filter, after, limit } = parseLockBoardQuery(request.query);
    const page = await this.locks.list(filter, after, limit);
    // Each page: nothing tells one that goes on from a first one with an `after` that somebody made up.
    await this.auditLog.record(boardRead(request, filter));
    return listAnswer(page);
  }

  @Delete('api/v1/content-locks/:uid')
  @Describe(BREAK_CONTENT_LOCK)
  @Needs('force')
  async breakLock(request: ApiRequest): Promise<Answer> {
    const uid = decodePathSegment(request.params['uid']!);
    const reason = parseReason(request.query);
    const { lock, object } = await this.locks.breakLock(uid, (path) =>
      endedByForce(request, 'lock-broken', path, reason),
    );
    return brokenAnswer(lock, object);
  }
}
