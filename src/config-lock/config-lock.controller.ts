import { Delete, Put, UseGuards } from '@nestjs/common';
import { AzureAuthGuard } from '../auth/azure-auth.guard.js';
import { type Answer } from '../http/answer.js';
import { AzureRequest } from '../http/azure/azure-request.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { keyValueAnswer } from '../key-value/key-value.answers.js';
import { authorFrom, nameFrom } from '../key-value/key-value.requests.js';
import { Describe } from '../openapi/describe.decorator.js';
import { IfMatchGuard } from '../precondition/if-match.guard.js';
import { LOCK_KEY_VALUE, UNLOCK_KEY_VALUE } from './config-lock.openapi.js';
import { ConfigLockService } from './config-lock.service.js';

/** `/locks/{key}` (contract section 7). The body of a request is ignored. */
@SurfaceController('azure', AzureAuthGuard)
export class ConfigLockController {
  constructor(private readonly service: ConfigLockService) {}

  @Put('locks/*key')
  @Describe(LOCK_KEY_VALUE)
  @Needs('write')
  @UseGuards(IfMatchGuard)
  lock(request: AzureRequest): Promise<Answer> {
    return this.setLocked(request, true);
  }

  @Delete('locks/*key')
  @Describe(UNLOCK_KEY_VALUE)
  @Needs('write')
  @UseGuards(IfMatchGuard)
  unlock(request: AzureRequest): Promise<Answer> {
    return this.setLocked(request, false);
  }

  private async setLocked(request: AzureRequest, locked: boolean): Promise<Answer> {
    const item = await this.service.setLocked(nameFrom(request), locked, request.condition, authorFrom(request));
    return keyValueAnswer(request, item);
  }
}
