import { hash } from 'node:crypto';

/** Bytes that SHA-256 takes at a time: a key is filled up to them, or hashed first where it is longer (RFC 2104 §2). */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/**
 * A shared secret that signs with HMAC-SHA256. Made of two one-shot hashes, because node's `Hmac` is an object with a native part for
 * each signature, which costs more than both hashes and has to be collected. It cannot be printed by accident.
 */
export class SigningKey {
  /** The block that opens the inner hash, and behind it room for what is signed; grows with the longest text. */
  #inner: Buffer;
  /** The block that opens the outer hash, and behind it room for the inner digest. */
  readonly #outer: Buffer;

  constructor(secret: Buffer) {
    const key = secret.length > BLOCK_BYTES ? hash('sha256', secret, 'buffer') : secret;
    const pad = (byte: number, size: number): Buffer => {
      const block = Buffer.alloc(size, byte);
      key.forEach((value, index) => (block[index] = value ^ byte));
      return block;
    };
    this.#inner = pad(INNER_PAD, 1024);
    this.#outer = pad(OUTER_PAD, BLOCK_BYTES + DIGEST_BYTES);
  }

  /** @param text of characters that are one byte each. @returns its signature in base64 */
  sign(text: string): string {
    const end = BLOCK_BYTES + text.length;
    if (end > this.#inner.length) this.#inner = Buffer.concat([this.#inner], 2 * end);
    this.#inner.write(text, BLOCK_BYTES, 'latin1');
    // Digests as text: a buffer for each would cost as much as the hash itself.
    this.#outer.write(hash('sha256', this.#inner.subarray(0, end), 'binary'), BLOCK_BYTES, 'binary');
    return hash('sha256', this.#outer, 'base64');
  }
}
