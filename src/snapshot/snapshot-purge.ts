import { Injectable, type OnModuleInit } from '@nestjs/common';
import { RetentionService } from '../key-value/retention.service.js';
import { SnapshotRepository } from './snapshot.repository.js';

/** Expired snapshots are gone for every caller already; this only takes back their space. */
@Injectable()
export class SnapshotPurge implements OnModuleInit {
  constructor(
    private readonly snapshots: SnapshotRepository,
    private readonly retention: RetentionService,
  ) {}

  onModuleInit(): void {
    this.retention.add('snapshots', (limit) => this.snapshots.purgeExpired(limit));
  }
}
