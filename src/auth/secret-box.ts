import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

/**
 * Stored secrets, encrypted with the master key (AES-256-GCM). A sealed text reads
 * `v1.{master key fingerprint}.{nonce}.{tag}.{ciphertext}`, each part base64url. The version lets the format change, the fingerprint
 * tells "sealed with another master key" from "altered". Stored in the database, hence wire-stable.
 */

const VERSION = 'v1';
const CIPHER = 'aes-256-gcm';
export const MASTER_KEY_BYTES = 32;
/** 96 bits, the size that GCM is defined for without a further hash. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Enough to tell the few master keys of one installation apart, too little to help in guessing one. */
const FINGERPRINT_BYTES = 8;

export type SecretBoxFault = 'malformed' | 'other-master-key' | 'tampered';

const FAULT_TEXT: Record<SecretBoxFault, string> = {
  malformed: 'not a sealed secret',
  'other-master-key': 'sealed with another master key',
  tampered: 'altered, or sealed for another purpose',
};

/** A sealed secret that cannot be opened. The message never holds any of it. */
export class SecretBoxError extends Error {
  constructor(readonly fault: SecretBoxFault) {
    super(`The stored secret is ${FAULT_TEXT[fault]}`);
    this.name = 'SecretBoxError';
  }
}

/**
 * @param masterKey 32 bytes
 * @param context what the secret belongs to (a key's id); must be given again to open it, so that rows cannot be swapped
 */
export function seal(plaintext: Buffer, masterKey: Buffer, context: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const fingerprint = masterKeyFingerprint(masterKey);
  const cipher = createCipheriv(CIPHER, masterKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData(fingerprint, context));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const parts = [nonce, cipher.getAuthTag(), ciphertext].map((part) => part.toString('base64url'));
  return [VERSION, fingerprint, ...parts].join('.');
}

/** Gives back what was sealed with the same master key and context; anything else throws a `SecretBoxError`. */
export function open(sealed: string, masterKey: Buffer, context: string): Buffer {
  const [version, fingerprint, ...parts] = sealed.split('.');
  const [nonce, tag, ciphertext] = parts.map(strictBase64Url);
  if (version !== VERSION || parts.length !== 3 || !nonce || !tag || !ciphertext) throw new SecretBoxError('malformed');
  if (nonce.length !== NONCE_BYTES || tag.length !== TAG_BYTES) throw new SecretBoxError('malformed');
  if (fingerprint !== masterKeyFingerprint(masterKey)) throw new SecretBoxError('other-master-key');
  const decipher = createDecipheriv(CIPHER, masterKey, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(additionalData(fingerprint, context));
  decipher.setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    throw new SecretBoxError('tampered');
  }
}

/** Names a master key without giving it away: 11 characters of base64url. */
export function masterKeyFingerprint(masterKey: Buffer): string {
  if (masterKey.length !== MASTER_KEY_BYTES) throw new RangeError(`A master key has ${MASTER_KEY_BYTES} bytes`);
  const digest = createHmac('sha256', masterKey).update('latchkey master key fingerprint').digest();
  return digest.subarray(0, FINGERPRINT_BYTES).toString('base64url');
}

/** Node's decoder skips what is not base64url; only the text that it would write itself counts. */
function strictBase64Url(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

function additionalData(fingerprint: string, context: string): Buffer {
  return Buffer.from(`${VERSION}.${fingerprint}.${context}`, 'utf8');
}
