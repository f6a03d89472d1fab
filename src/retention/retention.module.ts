import { Module } from '@nestjs/common';
import { LeaseModule } from '../lease/lease.module.js';
import { LeasePurge } from './lease-purge.js';
import { RetentionService } from './retention.service.js';

/** What is forgotten, and when. */
@Module({
  imports: [LeaseModule],
  providers: [RetentionService, LeasePurge],
  exports: [RetentionService],
})
export class RetentionModule {}
