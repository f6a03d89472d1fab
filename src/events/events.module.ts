import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RetentionModule } from '../retention/retention.module.js';
import { AuditEventEntity } from './audit-event.entity.js';
import { AuditLog } from './audit-log.js';
import { AuditPurge } from './audit-purge.js';
import { AuditController } from './audit.controller.js';
import { AuditRepository } from './audit.repository.js';

/** The audit log: what was done, by whom and from where. */
@Global()
@Module({
  imports: [RetentionModule, TypeOrmModule.forFeature([AuditEventEntity])],
  controllers: [AuditController],
  providers: [AuditRepository, AuditLog, AuditPurge],
  exports: [AuditRepository, AuditLog],
})
export class EventsModule {}
