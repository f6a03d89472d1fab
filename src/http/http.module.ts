import { Global, Module, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, ModuleRef, Reflector } from '@nestjs/core';
import { AccessLog } from '../logging/access-log.js';
import { IfMatchGuard } from '../precondition/if-match.guard.js';
import { AzureSurface } from './azure/azure.surface.js';
import { ContentSurface } from './content/content.surface.js';
import { DaprSurface } from './dapr/dapr.surface.js';
import { Dispatcher } from './dispatcher.js';
import { NativeSurface } from './native/native.surface.js';
import { registerSurfaceRoutes } from './register-routes.js';
import { SURFACES } from './surface.js';

/** The request pipeline that all surfaces share. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [
    AccessLog,
    IfMatchGuard,
    AzureSurface,
    DaprSurface,
    NativeSurface,
    ContentSurface,
    {
      provide: SURFACES,
      inject: [AzureSurface, DaprSurface, NativeSurface, ContentSurface],
      // The last one takes every path that no other claims.
      useFactory: (...surfaces: unknown[]) => surfaces,
    },
    Dispatcher,
  ],
  exports: [AccessLog, Dispatcher, IfMatchGuard],
})
export class HttpModule implements OnModuleInit {
  constructor(
    readonly discovery: DiscoveryService,
    readonly dispatcher: Dispatcher,
    readonly reflector: Reflector,
    readonly moduleRef: ModuleRef,
  ) {}

  onModuleInit(): void {
    registerSurfaceRoutes(this);
  }
}
