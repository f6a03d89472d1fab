import { type DynamicModule, Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Settings } from '../config/settings.js';
import { type DatabaseAddress, dataSourceOptions } from './connection.js';
import { DatabaseClock } from './database-clock.js';
import { Database } from './database.js';
import { ServiceDataSource } from './service-data-source.js';
import { StoreRevision } from './store-revision.js';

/** The one connection pool of a process, and what runs statements on it. */
@Global()
@Module({})
export class DatabaseModule {
  /** @param address of the embedded database, or the text of `DATABASE_URL` */
  static at(address: DatabaseAddress | string): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          inject: [Settings],
          dataSourceFactory: async (options) => new ServiceDataSource(options!),
          useFactory: (settings: Settings) => ({
            ...dataSourceOptions(address, { poolMax: settings.dbPoolMax, pooler: settings.dbPooler }),
            autoLoadEntities: true,
            retryAttempts: 0,
          }),
        }),
      ],
      providers: [Database, DatabaseClock, StoreRevision],
      exports: [Database, DatabaseClock, StoreRevision],
    };
  }
}
