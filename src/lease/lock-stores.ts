/** Separates the parts of a stored key (distributed-lock contract section 8); neither resources nor prefixes may contain it. */
export const KEY_SEPARATOR = '||';

/** One lock store: a name that callers use, and the prefix that its stored keys share. */
export class LockStore {
  /**
   * @param name `metadata.name` of the component file
   * @param type `spec.type`, such as `lock.postgres`
   * @param version `spec.version`, such as `v1`
   * @param prefix everything that precedes the resource in a stored key: `lock||latchkey||`
   */
  constructor(
    readonly name: string,
    readonly type: string,
    readonly version: string,
    readonly prefix: string,
  ) {}

  /** @param resource without `||`, which the caller has checked */
  storedKey(resource: string): string {
    return this.prefix + resource;
  }

  /** The resource of a stored key that starts with the store's prefix. */
  resourceOf(storedKey: string): string {
    return storedKey.slice(this.prefix.length);
  }
}

/** The stores that this service offers; decided once, while it starts. */
export class LockStores {
  private readonly byName: ReadonlyMap<string, LockStore>;

  constructor(readonly all: readonly LockStore[]) {
    this.byName = new Map(all.map((store) => [store.name, store]));
  }

  find(name: string): LockStore | undefined {
    return this.byName.get(name);
  }
}
