import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AccessKeyEntity } from './access-key.entity.js';
import { AccessKeyStore } from './access-key.js';
import { AccessKeyLoader } from './access-key.loader.js';
import { AzureAuthGuard } from './azure-auth.guard.js';
import { CallerAuthenticator } from './caller.authenticator.js';
import { ContentAuthGuard } from './content-auth.guard.js';
import { FailedLogins } from './failed-logins.js';
import { RetentionModule } from '../retention/retention.module.js';
import { NativeAuthGuard } from './native-auth.guard.js';
import { OidcAuthenticator } from './oidc.authenticator.js';
import { SeenSignatureEntity } from './seen-signature.entity.js';
import { SeenSignatures } from './seen-signatures.js';
import { UserDirectory } from './user-directory.js';

/** Who callers are and what they may do. */
@Global()
@Module({
  imports: [RetentionModule, TypeOrmModule.forFeature([AccessKeyEntity, SeenSignatureEntity])],
  providers: [
    { provide: AccessKeyStore, useFactory: () => new AccessKeyStore() },
    AccessKeyLoader,
    OidcAuthenticator,
    SeenSignatures,
    AzureAuthGuard,
    UserDirectory,
    FailedLogins,
    CallerAuthenticator,
    NativeAuthGuard,
    ContentAuthGuard,
  ],
  exports: [
    AccessKeyStore,
    SeenSignatures,
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
