import { randomFillSync } from 'node:crypto';

/** 256 bits, as many as the real service's 43 characters hold: two never meet. */
const ETAG_BYTES = 32;

/** One call for randomness serves 256 tags. */
const pool = Buffer.allocUnsafeSlow(256 * ETAG_BYTES);
let used = pool.length;

/** A new entity tag (Azure contract 2.7): 43 characters of base64url, from no clock and no content, so that none is used twice. */
export function newEtag(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += ETAG_BYTES;
  return pool.toString('base64url', start, used);
}
