import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AccessKeyEntity } from './access-key.entity.js';
import { AccessKeyStore } from './access-key.js';
import { AccessKeyLoader } from './access-key.loader.js';
import { AzureAuthGuard } from './azure-auth.guard.js';
import { CallerAuthenticator } from './caller.authenticator.js';
import { ContentAuthGuard } from './content-auth.guard.js';
import { FailedLogins } from './failed-logins.js';
import { NativeAuthGuard } from './native-auth.guard.js';
import { OidcAuthenticator } from './oidc.authenticator.js';
import { UserDirectory } from './user-directory.js';

/** Who callers are and what they may do. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([AccessKeyEntity])],
  providers: [
    { provide: AccessKeyStore, useFactory: () => new AccessKeyStore() },
    AccessKeyLoader,
    OidcAuthenticator,
    AzureAuthGuard,
    UserDirectory,
    FailedLogins,
    CallerAuthenticator,
    NativeAuthGuard,
    ContentAuthGuard,
  ],
  exports: [
    AccessKeyStore,
    AzureAuthGuard,
    OidcAuthenticator,
    UserDirectory,
    FailedLogins,
    CallerAuthenticator,
    NativeAuthGuard,
    ContentAuthGuard,
  ],
})
export class AuthModule {}
