import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AccessKeyEntity } from './access-key.entity.js';
import { AccessKeyStore } from './access-key.js';
import { AccessKeyLoader } from './access-key.loader.js';
import { AzureAuthGuard } from './azure-auth.guard.js';
import { OidcAuthenticator } from './oidc.authenticator.js';

/** Who callers are and what they may do. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([AccessKeyEntity])],
  providers: [
    { provide: AccessKeyStore, useFactory: () => new AccessKeyStore() },
    AccessKeyLoader,
    OidcAuthenticator,
    AzureAuthGuard,
  ],
  exports: [AccessKeyStore, AzureAuthGuard, OidcAuthenticator],
})
export class AuthModule {}
