import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { HealthModule } from '../health/health.module.js';
import { LeaseModule } from '../lease/lease.module.js';
import { DaprHealthController } from './dapr/dapr-health.controller.js';
import { DaprLockController } from './dapr/dapr-lock.controller.js';
import { DaprMetadataController } from './dapr/dapr-metadata.controller.js';
import { DaprMetadataEntity } from './dapr/dapr-metadata.entity.js';
import { DaprMetadataRepository } from './dapr/dapr-metadata.repository.js';
import { DaprMetadataService } from './dapr/dapr-metadata.service.js';
import { DistributedLockService } from './distributed-lock.service.js';
import { DaprGrpcController } from './grpc/dapr-grpc.controller.js';
import { LockStoreController } from './lock-store.controller.js';
import { LockController } from './lock.controller.js';

/** Distributed locks: Dapr's API over HTTP and gRPC, and our own. */
@Module({
  imports: [TypeOrmModule.forFeature([DaprMetadataEntity]), HealthModule, LeaseModule],
  controllers: [
    DaprLockController,
    DaprHealthController,
    DaprMetadataController,
    DaprGrpcController,
    LockController,
    LockStoreController,
  ],
  providers: [DistributedLockService, DaprMetadataRepository, DaprMetadataService],
})
export class DistributedLockModule {}
