import { applyDecorators, SetMetadata, UseGuards } from '@nestjs/common';
import { CHANGES_METADATA, type ContentChange } from '../http/surface-controller.decorator.js';
import { LockTokenGuard } from './lock-token.guard.js';

/**
 * Declares what a route of the content surface changes; every route that is not GET has one, or the service does not start.
 *
 * @param change `object`: the object that the path names; `source`: the objects that the body names; `nothing`: no content that is
 *   there already, so that no lock can stand in the way
 */
export function ChangesContent(change: ContentChange): MethodDecorator {
  if (change === 'nothing') return SetMetadata(CHANGES_METADATA, change);
  return applyDecorators(SetMetadata(CHANGES_METADATA, change), UseGuards(LockTokenGuard));
}
