import { Get } from '@nestjs/common';
import { NativeAuthGuard } from '../auth/native-auth.guard.js';
import { type Answer } from '../http/answer.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { LockStores } from '../lease/lock-stores.js';
import { Describe } from '../openapi/describe.decorator.js';
import { storesAnswer } from './lock.answers.js';
import { LIST_LOCK_STORES } from './lock.openapi.js';

/** `/api/v1/lock-stores`: which stores there are. */
@SurfaceController('native', NativeAuthGuard)
export class LockStoreController {
  constructor(private readonly stores: LockStores) {}

  @Get('api/v1/lock-stores')
  @Describe(LIST_LOCK_STORES)
  @Needs('inspect')
  list(): Answer {
    return storesAnswer(this.stores.all);
  }
}
