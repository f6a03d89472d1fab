import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LeaseRepository } from '../lease/lease.repository.js';
import { type Purged, RetentionService } from './retention.service.js';

/** Leases that one statement looks at. */
const BATCH_SIZE = 1000;

/** Leases that nobody asked for since a day are forgotten, and so are processes that ended and the tickets that died with them. */
@Injectable()
export class LeasePurge implements OnModuleInit {
  constructor(
    private readonly leases: LeaseRepository,
    private readonly retention: RetentionService,
  ) {}

  onModuleInit(): void {
    this.retention.add(() => this.purge());
  }

  private async *purge(): AsyncGenerator<Purged> {
    await this.leases.purgeReplicas();
    for (let after: Buffer | null = Buffer.alloc(0); after !== null;) {
      const { removed, last }: { removed: number; last: Buffer | null } = await this.leases.purgeIdle(
        after,
        BATCH_SIZE,
      );
      yield { leases: removed };
      after = last;
    }
  }
}
