import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CREDENTIALS, type Credentials } from '../config/credentials.js';
import { Settings, type UserRole, type UserSetting } from '../config/settings.js';
import { Metrics } from '../metrics/metrics.js';
import { BoundedMap } from '../memory/bounded-map.js';
import { HashingQueue } from './hashing-queue.js';

/** Somebody who logs in, as the rest of the service knows them. */
export interface User {
  /** What history and the audit log name, and the `sub` of login tokens. */
  readonly name: string;
  readonly role: UserRole;
  readonly fullName: string;
}

/** Where a password comes from, for its place in the line. */
export interface PasswordOrigin {
  readonly address: string;
  /** Whether the address failed too often of late. */
  readonly isSuspect: boolean;
}

/** A user, and the digest of the right name and password together. */
interface Entry {
  readonly user: User | null;
  readonly digest: Buffer;
}

/** 16 MB and 0.1 to 0.2 s for each guess. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 5 };
const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** Of SHA-256. */
const DIGEST_BYTES = 32;
/** How long a wrong password is known without hashing again; clients that send Basic send it with every request. */
const WRONG_LIFETIME_MS = 60_000;
const MAX_WRONG = 1_000;

/**
 * The users of `CMS_USERS`, or the generated ones, and whether a password is theirs. A right password is known by its digest at once and
 * waits in no line, so that nobody's wrong ones keep anybody out. A wrong one pays for a slow hash, whose result nobody needs: it is the
 * price of a guess, and the same for a name that nobody has.
 */
@Injectable()
export class UserDirectory {
  /** Under a key that ends with the process, so that what is remembered of passwords is of use to nobody. */
  private readonly digestKey = randomBytes(32);
  private readonly salt = randomBytes(SALT_BYTES);
  private readonly entries: ReadonlyMap<string, Entry>;
  private readonly nobody: Entry = { user: null, digest: randomBytes(DIGEST_BYTES) };
  private readonly queue: HashingQueue;
  private readonly wrong = new BoundedMap<true>(MAX_WRONG, WRONG_LIFETIME_MS);
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(@Inject(Settings) settings: Settings, @Inject(CREDENTIALS) credentials: Credentials, metrics: Metrics) {
    this.queue = new HashingQueue(() => metrics.throttled.inc({ reason: 'password-hashes' }));
    const users = settings.cmsUsers ?? credentials.users ?? [];
    this.entries = new Map(users.map((user) => [user.name, this.entryOf(user)]));
  }

  find(name: string): User | null {
    return this.entries.get(name)?.user ?? null;
  }

  /**
   * The user, or null for a wrong name or password alike.
   *
   * @throws 503 for a wrong one when too many of them wait for their hash
   */
  async verify(name: string, password: string, origin: PasswordOrigin): Promise<User | null> {
    // Two different lone surrogates have the same bytes.
    if (!name.isWellFormed() || !password.isWellFormed()) return null;
    const digest = this.digest(name, password);
    const entry = this.entries.get(name) ?? this.nobody;
    if (timingSafeEqual(digest, entry.digest)) return entry.user;
    await this.payForGuess(digest.toString('base64'), password, origin);
    return null;
  }

  /** Equal guesses that come together, or within a minute, pay once. */
  private async payForGuess(guess: string, password: string, { address, isSuspect }: PasswordOrigin): Promise<void> {
    if (this.wrong.get(guess)) return;
    const waiting = this.underWay.get(guess);
    if (waiting) return waiting;
    const payment = this.queue.run(() => hash(password, this.salt), address, isSuspect);
    this.underWay.set(guess, payment);
    try {
      await payment;
      this.wrong.set(guess, true);
    } finally {
      this.underWay.delete(guess);
    }
  }

  private entryOf({ name, password, role }: UserSetting): Entry {
    return { user: { name, role, fullName: name }, digest: this.digest(name, password) };
  }

  private digest(name: string, password: string): Buffer {
    // The length tells "ab" + "c" from "a" + "bc".
    return createHmac('sha256', this.digestKey).update(`${name.length}:${name}${password}`).digest();
  }
}

function hash(password: string, salt: Buffer): Promise<void> {
  return new Promise((resolve, reject) =>
    scrypt(password, salt, HASH_BYTES, SCRYPT, (error) => (error ? reject(error) : resolve())),
  );
}
