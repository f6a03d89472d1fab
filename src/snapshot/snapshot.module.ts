import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { KeyValueModule } from '../key-value/key-value.module.js';
import { RetentionModule } from '../retention/retention.module.js';
import { SnapshotController } from './snapshot.controller.js';
import { SnapshotEntity } from './snapshot.entity.js';
import { SnapshotItemEntity } from './snapshot-item.entity.js';
import { SnapshotItems } from './snapshot-items.js';
import { SnapshotPurge } from './snapshot-purge.js';
import { SnapshotRepository } from './snapshot.repository.js';
import { SnapshotService } from './snapshot.service.js';

/** Key-values as they were at one instant, kept under a name. */
@Module({
  imports: [TypeOrmModule.forFeature([SnapshotEntity, SnapshotItemEntity]), KeyValueModule, RetentionModule],
  controllers: [SnapshotController],
  providers: [SnapshotService, SnapshotRepository, SnapshotItems, SnapshotPurge],
})
export class SnapshotModule {}
