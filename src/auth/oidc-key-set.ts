import { type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { loadJose } from './jose.js';
import { isSameIssuer, KeySetUnavailableError, withoutSlash } from './oidc-token.js';

/** Milliseconds for discovery and key set together: an issuer that is away costs a request no more than that. */
const FETCH_TIMEOUT_MS = 3_000;
/** Milliseconds after a failed fetch in which requests are told so at once instead of trying again. */
const RETRY_MS = 2_000;
/** Milliseconds between two fetches for key ids that nobody knows: anybody can invent one. */
const UNKNOWN_KEY_INTERVAL_MS = 30_000;
/** Milliseconds after which keys are fetched again, so that one the issuer has withdrawn does not stay good. */
const MAX_AGE_MS = 600_000;
/** A key set is a few kilobytes. */
const MAX_DOCUMENT_BYTES = 1_048_576;

/**
 * The signature keys of the issuer: fetched when the first token comes, kept, and fetched again when a token names a key that is not
 * among them, or after a while. Requests that need them at once share one fetch; keys once known stay in use while the issuer is away.
 */
export class OidcKeySet {
  private keys: JWTVerifyGetKey | undefined;
  private pending: Promise<void> | undefined;
  private failure: KeySetUnavailableError | undefined;
  private fetchedAt = -Infinity;
  private triedAt = -Infinity;
  private soughtAt = -Infinity;

  /**
   * @param fetchKeys gets the key set from the issuer, or fails
   * @param onFailure is told of every fetch that failed
   * @param now milliseconds of a clock that never goes back
   */
  constructor(
    private readonly fetchKeys: () => Promise<JSONWebKeySet>,
    private readonly onFailure: (error: unknown) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The key that a token's header names. Throws `KeySetUnavailableError` where no keys are known and none can be had. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const isFirst = this.keys === undefined;
    if (isFirst) await this.fetchFirst();
    else if (this.now() - this.fetchedAt > MAX_AGE_MS && this.now() - this.triedAt > UNKNOWN_KEY_INTERVAL_MS) {
      void this.fetchOnce();
    }
    try {
      return await this.keys!(header, token);
    } catch (error) {
      if (isFirst || !(error instanceof loadJose().errors.JWKSNoMatchingKey) || !this.maySeek()) throw error;
      await this.fetchOnce();
      return this.keys!(header, token);
    }
  };

  private async fetchFirst(): Promise<void> {
    if (this.failure && this.now() - this.triedAt < RETRY_MS) throw this.failure;
    await this.fetchOnce();
    if (!this.keys) throw this.failure!;
  }

  /** Whether an unknown key may cost a fetch now; one that is under way already costs nothing. */
  private maySeek(): boolean {
    if (this.pending) return true;
    if (this.now() - this.soughtAt < UNKNOWN_KEY_INTERVAL_MS) return false;
    this.soughtAt = this.now();
    return true;
  }

  /** Never fails: what happened stands in `keys` and `failure`. */
  private fetchOnce(): Promise<void> {
    return (this.pending ??= this.fetch().finally(() => (this.pending = undefined)));
  }

  private async fetch(): Promise<void> {
    try {
      this.keys = loadJose().createLocalJWKSet(await this.fetchKeys());
      this.fetchedAt = this.now();
      this.failure = undefined;
    } catch (error) {
      this.failure = new KeySetUnavailableError(error);
      this.onFailure(error);
    } finally {
      this.triedAt = this.now();
    }
  }
}

/** The key set of the issuer, by way of its discovery document. Nobody but the configured issuer is ever asked where it is. */
export async function fetchKeySet(issuer: string): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
  const metadata = await fetchJson(`${withoutSlash(issuer)}/.well-known/openid-configuration`, signal);
  return (await fetchJson(keySetAddress(metadata, issuer), signal)) as unknown as JSONWebKeySet;
}

/**
 * Where a discovery document (OpenID Connect Discovery §4) says that the keys are. It must be the issuer's own (§4.3), and an issuer
 * with TLS cannot name keys that anybody on the way could replace.
 */
export function keySetAddress(metadata: Readonly<Record<string, unknown>>, issuer: string): string {
  const { issuer: named, jwks_uri: address } = metadata;
  if (typeof named !== 'string' || !isSameIssuer(named, issuer)) {
    throw new Error('the discovery document is that of another issuer');
  }
  if (typeof address !== 'string' || !URL.canParse(address)) throw new Error('the discovery document names no key set');
  if (isWithTls(issuer) && !isWithTls(address)) throw new Error('the discovery document names a key set without TLS');
  return address;
}

const isWithTls = (url: string): boolean => new URL(url).protocol === 'https:';

async function fetchJson(url: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
  if (!answer.ok || !answer.body) {
    await answer.body?.cancel();
    throw new Error(`${url} answered ${answer.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) throw new Error(`${url} is too large`);
    chunks.push(chunk);
  }
  const document: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  if (typeof document !== 'object' || document === null) throw new Error(`${url} is no JSON object`);
  return document as Record<string, unknown>;
}
