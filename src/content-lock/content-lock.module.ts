import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ContentModule } from '../content/content.module.js';
import { RetentionModule } from '../retention/retention.module.js';
import { ContentLockPurge } from './content-lock-purge.js';
import { ContentLockController } from './content-lock.controller.js';
import { ContentLockEntity, ContentLockTokenEntity } from './content-lock.entity.js';
import { ContentLockRepository } from './content-lock.repository.js';
import { ContentLockService } from './content-lock.service.js';
import { LockBoardController } from './lock-board.controller.js';
import { LockHooks } from './lock-hooks.js';
import { LockInfo } from './lock-info.js';

/** Locks that keep two editors from overwriting each other: `@lock`, and the board that shows and breaks them. */
@Module({
  imports: [TypeOrmModule.forFeature([ContentLockEntity, ContentLockTokenEntity]), ContentModule, RetentionModule],
  controllers: [ContentLockController, LockBoardController],
  providers: [ContentLockRepository, ContentLockService, LockInfo, LockHooks, ContentLockPurge],
})
export class ContentLockModule {}
