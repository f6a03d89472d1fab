import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type Logger } from 'pino';
import { Repository } from 'typeorm';
import { CREDENTIALS, type Credentials } from '../config/credentials.js';
import { type AccessKeySetting, Settings } from '../config/settings.js';
import { LOGGER } from '../logging/logger.js';
import { AccessKeyEntity } from './access-key.entity.js';
import { type AccessKey, AccessKeyStore, createAccessKey } from './access-key.js';
import { open, seal, SecretBoxError } from './secret-box.js';

/** Milliseconds between two looks at the stored keys: how long a key that was made or revoked takes to show. */
const REFRESH_MS = 2_000;

/**
 * Keeps the store of access keys filled: those of `ACCESS_KEYS`, which stay in memory, and those of the database, whose secrets are
 * sealed under `MASTER_KEY`; of one id the setting's counts. Generated development keys count only on loopback, where they were shown,
 * and while `ACCESS_KEYS` is unset: a database outlives the start that made them.
 */
@Injectable()
export class AccessKeyLoader implements OnModuleInit, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  /** The rows as they were last seen: opening them again would give the same keys, and the same warnings. */
  private seen = '';

  constructor(
    @InjectRepository(AccessKeyEntity) private readonly stored: Repository<AccessKeyEntity>,
    private readonly store: AccessKeyStore,
    @Inject(Settings) private readonly settings: Settings,
    @Inject(CREDENTIALS) private readonly credentials: Credentials,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    if (!this.settings.accessKeys && this.credentials.accessKey) await this.keep(this.credentials.accessKey);
    await this.refresh();
    this.timer = setInterval(() => {
      this.refresh().catch((error: unknown) => {
        this.logger.debug({ err: error }, 'the stored access keys could not be read; those in use stay');
      });
    }, REFRESH_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async refresh(): Promise<void> {
    const { accessKeys, isLoopback } = this.settings;
    const where = isLoopback && !accessKeys ? {} : { generated: false };
    const rows = await this.stored.find({ where, order: { id: 'ASC' } });
    const seen = JSON.stringify(rows);
    if (seen === this.seen) return;
    const configured = accessKeys?.map(({ id, secret, readOnly }) => createAccessKey(id, secret, readOnly)) ?? [];
    const opened = rows.map((row) => this.openKey(row)).filter((key) => key !== null);
    this.store.replace([...opened, ...configured]);
    this.seen = seen;
  }

  /** Several processes may start with the same generated key: the first one stores it. */
  private async keep({ id, secret, readOnly }: AccessKeySetting): Promise<void> {
    const sealedSecret = seal(Buffer.from(secret, 'base64'), this.credentials.masterKey, id);
    await this.stored.createQueryBuilder().insert().values({ id, sealedSecret, readOnly }).orIgnore().execute();
  }

  private openKey({ id, sealedSecret, readOnly }: AccessKeyEntity): AccessKey | null {
    try {
      return createAccessKey(id, open(sealedSecret, this.credentials.masterKey, id).toString('base64'), readOnly);
    } catch (error) {
      if (!(error instanceof SecretBoxError)) throw error;
      // Replicas with folders of their own seal under keys of their own; each serves the keys that it can open.
      this.logger.warn({ accessKey: id, fault: error.fault }, 'a stored access key cannot be opened and is not in use');
      return null;
    }
  }
}
