import { Inject, Injectable } from '@nestjs/common';
import { Settings } from '../../config/settings.js';
import { LockStores } from '../../lease/lock-stores.js';
import { version } from '../../version.js';
import { DaprMetadataRepository } from './dapr-metadata.repository.js';

/** The release whose lock calls ours agree with; clients that read it expect the shape of one of Dapr's own versions. */
const DAPR_RUNTIME_VERSION = '1.16.0';
/** UTF-16 units, as everywhere that a limit is in characters. */
const MAX_KEY_LENGTH = 512;
/** Bytes of UTF-8. */
const MAX_VALUE_BYTES = 64 * 1024;

/** What Dapr's metadata call tells of the service, in the words of its JSON (contract section 6). */
export interface DaprMetadata {
  readonly id: string;
  readonly runtimeVersion: string;
  readonly components: readonly { readonly name: string; readonly type: string; readonly version: string }[];
  readonly extended: Readonly<Record<string, string>>;
  readonly actorRuntime: { readonly runtimeStatus: 'DISABLED'; readonly hostReady: false };
}

/** What the service says of itself to Dapr's clients, and the labels that they may add. */
@Injectable()
export class DaprMetadataService {
  constructor(
    private readonly labels: DaprMetadataRepository,
    private readonly stores: LockStores,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  async describe(): Promise<DaprMetadata> {
    const labels = await this.labels.list();
    return {
      id: this.settings.appId,
      runtimeVersion: version,
      components: this.stores.all.map(({ name, type, version }) => ({ name, type, version })),
      // As in Dapr, a label cannot pretend another version: the last entry of a name counts.
      extended: Object.fromEntries([...labels, ['daprRuntimeVersion', DAPR_RUNTIME_VERSION]]),
      actorRuntime: { runtimeStatus: 'DISABLED', hostReady: false },
    };
  }

  /** @returns what is wrong with the label, null when it was set */
  async setLabel(key: string, value: string): Promise<string | null> {
    if (key === '' || key.length > MAX_KEY_LENGTH) return `metadata key must have 1 to ${MAX_KEY_LENGTH} characters`;
    if (Buffer.byteLength(value) > MAX_VALUE_BYTES) return `metadata value is longer than ${MAX_VALUE_BYTES} bytes`;
    return (await this.labels.put(key, value))
      ? null
      : 'there are too many metadata labels, or they are too long together';
  }
}
