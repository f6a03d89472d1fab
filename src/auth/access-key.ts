import { SigningKey } from './signing-key.js';

/** One access key of the configuration API. */
export interface AccessKey {
  /** What clients send as `Credential`; may hold `:`, `/`, `+` and `-`. */
  readonly id: string;
  readonly secret: SigningKey;
  /** True when only GET and HEAD are allowed (Azure contract section 9.1). */
  readonly isReadOnly: boolean;
}

/** @param secret the shared secret in base64, as it stands in a connection string */
export function createAccessKey(id: string, secret: string, isReadOnly: boolean): AccessKey {
  return { id, secret: new SigningKey(Buffer.from(secret, 'base64')), isReadOnly };
}

/** The access keys that are valid now, in memory, found by id. Who may change them, and where they are stored, is decided elsewhere. */
export class AccessKeyStore {
  #keys: ReadonlyMap<string, AccessKey> = new Map();

  constructor(keys: Iterable<AccessKey> = []) {
    this.replace(keys);
  }

  find(id: string): AccessKey | undefined {
    return this.#keys.get(id);
  }

  /** Takes the given keys in place of all former ones, at once: no request sees a mixture. Of two with one id the last counts. */
  replace(keys: Iterable<AccessKey>): void {
    this.#keys = new Map(Array.from(keys, (key) => [key.id, key]));
  }
}
