import { Get, Inject } from '@nestjs/common';
import { NativeAuthGuard } from '../auth/native-auth.guard.js';
import { Settings } from '../config/settings.js';
import { type Answer } from '../http/answer.js';
import { type ApiRequest } from '../http/api-request.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { encodePosition, mergePage } from './audit-page.js';
import { READ_AUDIT_LOG } from './audit.openapi.js';
import { auditQueryFrom } from './audit.requests.js';
import { type AuditItem, AuditRepository } from './audit.repository.js';

/** `/api/v1/audit`: one list of what the log holds and of every change to key-values. Shows values, so it is for managers only. */
@SurfaceController('native', NativeAuthGuard)
export class AuditController {
  constructor(
    private readonly repository: AuditRepository,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  @Get('api/v1/audit')
  @Describe(READ_AUDIT_LOG)
  @Needs('audit')
  async read(request: ApiRequest): Promise<Answer> {
    const query = auditQueryFrom(request.query);
    // Older revisions may have lost the state before them to the purge, and would tell a wrong story.
    const days = this.settings.revisionRetentionDays;
    const found = await Promise.all([
      this.repository.findEvents(query, days),
      this.repository.findRevisions(query, days),
    ]);
    const { items, next } = mergePage(found, query.limit);
    return {
      status: 200,
      headers: ['Content-Type', 'application/json; charset=utf-8', 'Cache-Control', 'no-store'],
      body: JSON.stringify({ items: items.map(toBody), next: next && encodePosition(next) }),
    };
  }
}

/** Wire-stable, the order of the members apart. */
function toBody({ position, ...rest }: AuditItem): object {
  return { id: `${position.source}${position.number}`, at: position.at, ...rest };
}
