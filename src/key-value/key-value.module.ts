import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LeaseModule } from '../lease/lease.module.js';
import { RetentionModule } from '../retention/retention.module.js';
import { GroupedPuts } from './grouped-puts.js';
import { HistoryPurge } from './history-purge.js';
import { KeyValueController } from './key-value.controller.js';
import { KeyValueEntity } from './key-value.entity.js';
import { KeyValueRepository } from './key-value.repository.js';
import { KeyValueRevisionEntity } from './key-value-revision.entity.js';
import { KeyValueRevisionRepository } from './key-value-revision.repository.js';
import { KeyValueService } from './key-value.service.js';
import { ListVariants } from './list-variants.js';
import { NameController } from './name.controller.js';
import { PageMarks } from './page-marks.js';
import { PointReads } from './point-reads.js';
import { RevisionController } from './revision.controller.js';
import { StoreEpoch } from './store-epoch.js';

/** Key-values with labels, their names and their history, as Azure App Configuration serves them. */
@Module({
  imports: [LeaseModule, RetentionModule, TypeOrmModule.forFeature([KeyValueEntity, KeyValueRevisionEntity])],
  controllers: [KeyValueController, NameController, RevisionController],
  providers: [
    KeyValueService,
    KeyValueRepository,
    KeyValueRevisionRepository,
    ListVariants,
    PageMarks,
    PointReads,
    StoreEpoch,
    GroupedPuts,
    HistoryPurge,
  ],
  exports: [KeyValueService, KeyValueRepository, ListVariants],
})
export class KeyValueModule {}
