import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type Purged, RetentionService } from '../retention/retention.service.js';
import { ContentLockRepository } from './content-lock.repository.js';

/** Rows of each kind that one statement removes. */
const BATCH_SIZE = 1000;

/** Forgets the tokens of locks that ended more than a day ago: whoever still has one must look at the object again anyway. */
@Injectable()
export class ContentLockPurge implements OnModuleInit {
  constructor(
    private readonly locks: ContentLockRepository,
    private readonly retention: RetentionService,
  ) {}

  onModuleInit(): void {
    this.retention.add(() => this.purge());
  }

  private async *purge(): AsyncGenerator<Purged> {
    for (let isMore = true; isMore;) {
      const { tokens, locks } = await this.locks.purge(BATCH_SIZE);
      yield { contentLockTokens: tokens, contentLocks: locks };
      isMore = tokens > 0 || locks > 0;
    }
  }
}
