/** One key-value as the domain knows it, past or present. */
export interface KeyValue {
  readonly key: string;
  /** '' for no label. */
  readonly label: string;
  readonly value: string | null;
  readonly contentType: string | null;
  /** JSON object text of tag name to text or null. */
  readonly tags: string;
  readonly description: string | null;
  readonly locked: boolean;
  /** Entity tag without quotes. */
  readonly etag: string;
  /** Decimal text: position in the store's order of changes. */
  readonly revision: string;
  /** Whole seconds since 1970 by the database's clock. */
  readonly modifiedAt: number;
}

/** What a write is bound to: it is made only while this fence is that of the lease's holder. */
export interface Fence {
  /** `LeaseKey.digest` of the lock. */
  readonly digest: Buffer;
  /** Decimal text. */
  readonly fence: string;
}

/** Who asks for a change; stored with the revision it makes. */
export interface Author {
  readonly actor: string;
  readonly address: string;
  readonly requestId: string;
}
