import { type DynamicModule, Global, Module } from '@nestjs/common';
import { type Logger } from 'pino';
import { AuthModule } from './auth/auth.module.js';
import { ConfigLockModule } from './config-lock/config-lock.module.js';
import { CREDENTIALS, type Credentials } from './config/credentials.js';
import { Settings } from './config/settings.js';
import { ContentModule } from './content/content.module.js';
import { ContentLockModule } from './content-lock/content-lock.module.js';
import { type DatabaseAddress } from './database/connection.js';
import { DatabaseModule } from './database/database.module.js';
import { DistributedLockModule } from './distributed-lock/distributed-lock.module.js';
import { EventsModule } from './events/events.module.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { KeyValueModule } from './key-value/key-value.module.js';
import { LockStores } from './lease/lock-stores.js';
import { LOGGER } from './logging/logger.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { ProblemFilter } from './problem/problem.filter.js';
import { SnapshotModule } from './snapshot/snapshot.module.js';

/** Everything that is decided before the application exists. */
export interface AppContext {
  settings: Settings;
  credentials: Credentials;
  logger: Logger;
  lockStores: LockStores;
  /** Of the embedded database, or the text of `DATABASE_URL`. */
  database: DatabaseAddress | string;
}

/** Makes the start-up decisions injectable everywhere. */
@Global()
@Module({})
class ContextModule {
  static with({ settings, credentials, logger, lockStores }: AppContext): DynamicModule {
    const providers = [
      { provide: Settings, useValue: settings },
      { provide: CREDENTIALS, useValue: credentials },
      { provide: LOGGER, useValue: logger },
      { provide: LockStores, useValue: lockStores },
    ];
    return { module: ContextModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}

@Module({})
export class AppModule {
  static with(context: AppContext): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ContextModule.with(context),
        DatabaseModule.at(context.database),
        HttpModule,
        AuthModule,
        EventsModule,
        HealthModule,
        MetricsModule,
        KeyValueModule,
        SnapshotModule,
        ConfigLockModule,
        DistributedLockModule,
        ContentModule,
        ContentLockModule,
      ],
      providers: [ProblemFilter],
    };
  }
}
