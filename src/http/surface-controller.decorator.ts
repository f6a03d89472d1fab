import { applyDecorators, Controller, type CanActivate, SetMetadata, type Type, UseGuards } from '@nestjs/common';

export const SURFACE_METADATA = 'latchkey:surface';
export const ACCESS_METADATA = 'latchkey:access';

/**
 * Marks a controller whose methods the dispatcher calls straight from the node server (docs/adr/0002). They carry Nest's ordinary
 * route and guard decorators, take the request as their only argument and return an `Answer`.
 *
 * @param surface name of the surface that the controller's routes belong to
 * @param guards run before the method's own guards, in this order
 */
export function SurfaceController(surface: string, ...guards: Type<CanActivate>[]): ClassDecorator {
  return applyDecorators(Controller(), SetMetadata(SURFACE_METADATA, surface), UseGuards(...guards));
}

/** Declares what a caller must be allowed to do; every hot route has one, or the service does not start. */
export const Needs = (access: 'nothing' | 'read' | 'write'): MethodDecorator => SetMetadata(ACCESS_METADATA, access);
