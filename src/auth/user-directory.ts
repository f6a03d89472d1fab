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

/** A user with what proves one. Once `hash` is made, the password itself is forgotten here. */
interface Entry {
  readonly user: User | null;
  readonly salt: Buffer;
  hash: Buffer | null;
  password: string | null;
}

/** 16 MB and 0.1 to 0.2 s for each guess. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 5 };
const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** How long a verdict is known without hashing again; clients that send Basic send it with every request. */
const VERDICT_LIFETIME_MS = 60_000;
/** Verdicts that are known at once, right ones and wrong ones apart: guesses must not push out the people who work. */
const MAX_VERDICTS = 1_000;

/**
 * The users of `CMS_USERS`, or the generated ones, and whether a password is theirs. A user's hash is made of the first right password,
 * so starting costs nothing; until then the passwords are compared, at the same price. A name that nobody has costs the same too.
 */
@Injectable()
export class UserDirectory {
  private readonly entries: ReadonlyMap<string, Entry>;
  private readonly nobody: Entry = { user: null, salt: randomBytes(SALT_BYTES), hash: Buffer.alloc(0), password: null };
  private readonly queue: HashingQueue;
  /** Under a key that ends with the process, so that what is remembered of passwords is of use to nobody. */
  private readonly digestKey = randomBytes(32);
  private readonly right = new BoundedMap<User>(MAX_VERDICTS, VERDICT_LIFETIME_MS);
  private readonly wrong = new BoundedMap<true>(MAX_VERDICTS, VERDICT_LIFETIME_MS);
  private readonly underWay = new Map<string, Promise<User | null>>();

  constructor(@Inject(Settings) settings: Settings, @Inject(CREDENTIALS) credentials: Credentials, metrics: Metrics) {
    this.queue = new HashingQueue(() => metrics.throttled.inc({ reason: 'password-hashes' }));
    const users = settings.cmsUsers ?? credentials.users ?? [];
    this.entries = new Map(users.map((user) => [user.name, entryOf(user)]));
  }

  find(name: string): User | null {
    return this.entries.get(name)?.user ?? null;
  }

  /**
   * The user, or null for a wrong name or password alike.
   *
   * @throws 503 when too many passwords wait for their hash
   */
  async verify(name: string, password: string, origin: PasswordOrigin): Promise<User | null> {
    // Two different lone surrogates have the same bytes.
    if (!name.isWellFormed() || !password.isWellFormed()) return null;
    const digest = this.digest(name, password);
    const key = digest.toString('base64');
    const user = this.right.get(key);
    if (user) return user;
    if (this.wrong.get(key)) return null;
    const waiting = this.underWay.get(key);
    if (waiting) return waiting;
    const verdict = this.judge(name, password, digest, origin).then((judged) => {
      if (judged) this.right.set(key, judged);
      else this.wrong.set(key, true);
      return judged;
    });
    this.underWay.set(key, verdict);
    try {
      return await verdict;
    } finally {
      this.underWay.delete(key);
    }
  }

  private async judge(name: string, password: string, digest: Buffer, origin: PasswordOrigin): Promise<User | null> {
    const entry = this.entries.get(name) ?? this.nobody;
    const hash = await this.queue.run(() => hashOf(password, entry.salt), origin.address, origin.isSuspect);
    if (entry.password === null) return isEqual(hash, entry.hash!) ? entry.user : null;
    if (!isEqual(digest, this.digest(name, entry.password))) return null;
    entry.hash = hash;
    entry.password = null;
    return entry.user;
  }

  private digest(name: string, password: string): Buffer {
    // The length tells "ab" + "c" from "a" + "bc".
    return createHmac('sha256', this.digestKey).update(`${name.length}:${name}${password}`).digest();
  }
}

function entryOf({ name, password, role }: UserSetting): Entry {
  return { user: { name, role, fullName: name }, salt: randomBytes(SALT_BYTES), hash: null, password };
}

function hashOf(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(password, salt, HASH_BYTES, SCRYPT, (error, hash) => (error ? reject(error) : resolve(hash))),
  );
}

function isEqual(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
