import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { Database } from '../database/database.js';
import { type Purged, RetentionService } from '../retention/retention.service.js';
import { PURGE_DELETED, PURGE_SUPERSEDED } from './history-purge.sql.js';

/** Forgets history that is older than `REVISION_RETENTION_DAYS`. */
@Injectable()
export class HistoryPurge implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly retention: RetentionService,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  onModuleInit(): void {
    this.retention.add(() => this.purge(this.settings.revisionRetentionDays));
  }

  private async *purge(days: number): AsyncGenerator<Purged> {
    for (let revision: string | null = '0'; revision !== null;) {
      const [row] = await this.database.query(PURGE_SUPERSEDED, [days, revision]);
      yield { revisions: Number(row![0]), keyValues: 0 };
      revision = row![1] as string | null;
    }
    for (let removed = 1; removed > 0;) {
      const [row] = await this.database.query(PURGE_DELETED, [days]);
      removed = Number(row![0]);
      yield { keyValues: removed, revisions: Number(row![1]) };
    }
  }
}
