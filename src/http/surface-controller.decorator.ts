import { applyDecorators, Controller, type CanActivate, SetMetadata, type Type, UseGuards } from '@nestjs/common';

export const SURFACE_METADATA = 'latchkey:surface';
export const ACCESS_METADATA = 'latchkey:access';
export const CHANGES_METADATA = 'latchkey:changes-content';

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

/**
 * What a route asks of its caller. `read` and `write` are rights on the configuration API; `inspect`, `lock` and `force` on distributed
 * locks, where `force` is for locks on content too; `content-locks` shows who holds those; `audit` on the audit log, and `metrics` on what operators watch. `view`, `modify`, `add`, `delete` and `break` (any lock) are rights on content, `authenticated` is
 * anybody known there, and `login` a route that is told in the body who calls: credentials in the header are not even looked at.
 * `nothing` is open to everybody, and `surface` is settled by the surface before routing.
 */
export type Access =
  | 'nothing'
  | 'surface'
  | 'read'
  | 'write'
  | 'inspect'
  | 'lock'
  | 'content-locks'
  | 'force'
  | 'audit'
  | 'metrics'
  | ContentAccess;

export type ContentAccess = 'view' | 'modify' | 'add' | 'delete' | 'break' | 'authenticated' | 'login';

/** What a route of the content surface changes: see `ChangesContent`. */
export type ContentChange = 'object' | 'source' | 'nothing';

/** Declares what a caller must be allowed to do; every hot route has one, or the service does not start. */
export const Needs = (access: Access): MethodDecorator => SetMetadata(ACCESS_METADATA, access);
