import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LeaseEntity, LeaseFloorEntity, LeaseReplicaEntity, LeaseTicketEntity } from './lease.entity.js';
import { LeaseRepository } from './lease.repository.js';
import { WaitingLine } from './waiting-line.js';
import { WakeUpCalls } from './wake-up-calls.js';

/** Leases on stored keys: the tables, and the line of those who wait. */
@Module({
  imports: [TypeOrmModule.forFeature([LeaseEntity, LeaseTicketEntity, LeaseReplicaEntity, LeaseFloorEntity])],
  providers: [LeaseRepository, WakeUpCalls, WaitingLine],
  exports: [LeaseRepository, WaitingLine],
})
export class LeaseModule {}
