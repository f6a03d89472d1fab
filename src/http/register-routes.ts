import { type CanActivate, RequestMethod, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModuleRef, Reflector } from '@nestjs/core';
import { type Answer } from './answer.js';
import { type ApiRequest } from './api-request.js';
import { Dispatcher } from './dispatcher.js';
import { ACCESS_METADATA, CHANGES_METADATA, SURFACE_METADATA } from './surface-controller.decorator.js';

/** Where Nest's own decorators keep their metadata; its module of constants is internal and moves in Nest 12. */
const PATH_METADATA = 'path';
const METHOD_METADATA = 'method';
const GUARDS_METADATA = '__guards__';

type Handler = (request: ApiRequest) => Answer | Promise<Answer>;

interface Tools {
  discovery: DiscoveryService;
  dispatcher: Dispatcher;
  reflector: Reflector;
  moduleRef: ModuleRef;
}

/**
 * Reads the routes of every surface controller from Nest's own decorators and adds them to the dispatcher: the decorators stay the
 * only place where a route is declared.
 */
export function registerSurfaceRoutes({ discovery, dispatcher, reflector, moduleRef }: Tools): void {
  const scanner = new MetadataScanner();
  for (const wrapper of discovery.getControllers()) {
    const controllerType = wrapper.metatype as Type | null;
    const surface = controllerType && reflector.get<string | undefined>(SURFACE_METADATA, controllerType);
    if (!controllerType || !surface) continue;
    const controller = wrapper.instance as Record<string, Handler>;
    const guardsOf = (target: object): CanActivate[] =>
      ((Reflect.getMetadata(GUARDS_METADATA, target) ?? []) as Type<CanActivate>[]).map((guard) =>
        moduleRef.get(guard, { strict: false }),
      );
    const classGuards = guardsOf(controllerType);
    for (const name of scanner.getAllMethodNames(controllerType.prototype as object)) {
      const method = (controllerType.prototype as Record<string, Handler>)[name]!;
      const path = Reflect.getMetadata(PATH_METADATA, method) as string | string[] | undefined;
      if (path === undefined) continue;
      const access = reflector.get<string | undefined>(ACCESS_METADATA, method);
      const handlerName = `${controllerType.name}.${name}`;
      if (!access) throw new Error(`${handlerName} does not declare with @Needs() what a caller must be allowed to do`);
      const verb = RequestMethod[Reflect.getMetadata(METHOD_METADATA, method) as RequestMethod];
      const changes = reflector.get<string | undefined>(CHANGES_METADATA, method);
      // Locks are only as good as the last route that was added: one that forgets them does not start.
      if (surface === 'content' && verb !== 'GET' && !changes) {
        throw new Error(`${handlerName} does not declare with @ChangesContent() what it changes`);
      }
      for (const pattern of [path].flat()) {
        dispatcher.addRoute(surface, {
          method: verb,
          pattern,
          access,
          changes,
          guards: [...classGuards, ...guardsOf(method)],
          handlerName,
          handle: (request) => controller[name]!(request),
        });
      }
    }
  }
}
