import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { type Settings } from '../config/settings.js';

/** Certificate chain and private key in PEM, as node's servers take them. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads what `TLS_CERT_FILE` and `TLS_KEY_FILE` hold now. Throws unless both are readable and belong together. */
export function readCertificate(settings: Settings): Certificate {
  const certificate = { cert: readFileSync(settings.tlsCertFile!), key: readFileSync(settings.tlsKeyFile!) };
  createSecureContext(certificate);
  // OpenSSL keeps one pair for each kind of key, and so misses that a certificate and a key of different kinds do not match.
  if (!leafOf(certificate).checkPrivateKey(createPrivateKey(certificate.key))) {
    throw new Error('the private key is not that of the certificate');
  }
  return certificate;
}

/** The first certificate of the chain: the server's own. */
export function leafOf({ cert }: Certificate): X509Certificate {
  return new X509Certificate(cert);
}
