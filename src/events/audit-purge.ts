import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { type Purged, RetentionService } from '../retention/retention.service.js';
import { AuditRepository } from './audit.repository.js';

/** Events that one statement removes. */
const BATCH_SIZE = 1000;

/** Forgets events that are older than `REVISION_RETENTION_DAYS`. */
@Injectable()
export class AuditPurge implements OnModuleInit {
  constructor(
    private readonly events: AuditRepository,
    private readonly retention: RetentionService,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  onModuleInit(): void {
    this.retention.add(() => this.purge(this.settings.revisionRetentionDays));
  }

  private async *purge(days: number): AsyncGenerator<Purged> {
    for (let removed = 1; removed > 0;) {
      removed = await this.events.purge(days, BATCH_SIZE);
      yield { auditEvents: removed };
    }
  }
}
