import { createHash, timingSafeEqual } from 'node:crypto';

/** A secret that callers send as it is. Digests have one length, so the time of a comparison tells nothing, not even how long it is. */
export class SharedSecret {
  private readonly digest: Buffer;

  constructor(secret: string) {
    this.digest = sha256(secret);
  }

  equals(given: string): boolean {
    return timingSafeEqual(sha256(given), this.digest);
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
