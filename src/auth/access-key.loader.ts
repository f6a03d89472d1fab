import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type Logger } from 'pino';
import { Repository } from 'typeorm';
import { CREDENTIALS, type Credentials } from '../config/credentials.js';
import { type AccessKeySetting, Settings } from '../config/settings.js';
import { LOGGER } from '../logging/logger.js';
import { AccessKeyEntity } from './access-key.entity.js';
import { type AccessKey, AccessKeyStore, createAccessKey } from './access-key.js';
import { open, seal, SecretBoxError } from './secret-box.js';

/**
 * Fills the store of access keys at start: those of `ACCESS_KEYS`, which stay in memory, and those kept in the database, the
 * generated development key among them, whose secrets are sealed under `MASTER_KEY`.
 */
@Injectable()
export class AccessKeyLoader implements OnModuleInit {
  constructor(
    @InjectRepository(AccessKeyEntity) private readonly stored: Repository<AccessKeyEntity>,
    private readonly store: AccessKeyStore,
    @Inject(Settings) private readonly settings: Settings,
    @Inject(CREDENTIALS) private readonly credentials: Credentials,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    if (this.settings.accessKeys) {
      this.store.replace(
        this.settings.accessKeys.map(({ id, secret, readOnly }) => createAccessKey(id, secret, readOnly)),
      );
      return;
    }
    if (this.credentials.accessKey) await this.keep(this.credentials.accessKey);
    const keys = (await this.stored.find()).map((row) => this.openKey(row)).filter((key) => key !== null);
    this.store.replace(keys);
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
