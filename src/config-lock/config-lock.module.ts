import { Module } from '@nestjs/common';
import { KeyValueModule } from '../key-value/key-value.module.js';
import { ConfigLockController } from './config-lock.controller.js';
import { ConfigLockRepository } from './config-lock.repository.js';
import { ConfigLockService } from './config-lock.service.js';

/** Azure's read-only flag on key-values. */
@Module({
  imports: [KeyValueModule],
  controllers: [ConfigLockController],
  providers: [ConfigLockService, ConfigLockRepository],
})
export class ConfigLockModule {}
