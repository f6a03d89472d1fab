import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type Purged, RetentionService } from '../retention/retention.service.js';
import { SnapshotRepository } from './snapshot.repository.js';

/** Snapshots that one statement removes. */
const BATCH_SIZE = 1000;

/** Expired snapshots are gone for every caller already; this only takes back their space. */
@Injectable()
export class SnapshotPurge implements OnModuleInit {
  constructor(
    private readonly snapshots: SnapshotRepository,
    private readonly retention: RetentionService,
  ) {}

  onModuleInit(): void {
    this.retention.add(() => this.purge());
  }

  private async *purge(): AsyncGenerator<Purged> {
    for (let removed = 1; removed > 0;) {
      removed = await this.snapshots.purgeExpired(BATCH_SIZE);
      yield { snapshots: removed };
    }
  }
}
