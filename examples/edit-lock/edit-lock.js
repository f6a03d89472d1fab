// Keeps the lock of one content object while somebody edits it in a browser. No dependencies, no build step: copy this file.
//
//   import { EditLock } from './edit-lock.js';
//
//   const lock = new EditLock({ url: 'https://cms.example/news/today', token: () => session.jwt, onStolen: warn, onLost: warn });
//   const { isMine, lock: info } = await lock.open();
//   if (!isMine) tell(`${info.creator_name} is editing`);          // no error: somebody has it
//   await fetch(url, { method: 'PATCH', headers: { ...lock.headers(), … }, body });
//   await lock.release();
//
// What it does by itself between open() and release(): refreshes the lock when a third of its time has passed and when the page is
// looked at again; tells when the lock is gone; gives it back when the page is left. docs/cms-integration.md has the requests.

/** Refreshes in one lifetime of the lock: two may fail before it is in danger. */
const REFRESHES_PER_LIFETIME = 3;
/** Milliseconds until a failed refresh is tried again; doubled with each failure, up to the second number. */
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** Milliseconds after which a request counts as failed: a connection that hangs must not cost the lock. */
const REQUEST_MS = 10_000;
/** The same for a refresh when the lock has hardly any time left. */
const LAST_REQUEST_MS = 1000;

/** A request was answered by something else than the lock of the object; a lock that somebody else holds is none of these. */
export class EditLockError extends Error {
  /**
   * @param {string} message for people
   * @param {number} status of the answer: 401 not logged in, 403 no right to modify, 404 no such object, …
   */
  constructor(message, status) {
    super(message);
    this.name = 'EditLockError';
    this.status = status;
  }
}

/**
 * @typedef {object} LockInfo As the service sends it; of an object without lock only the first two members.
 * @property {boolean} locked
 * @property {boolean} stealable whether other editors may take it over
 * @property {string} [creator] id of the holder
 * @property {string} [creator_name]
 * @property {string} [created] when it was taken or last refreshed, ISO 8601
 * @property {number} [timeout] seconds from `created` on
 * @property {string} [token] only when it is yours
 */

/**
 * @typedef {object} Options
 * @property {string} url address of the object, `@id` of its JSON
 * @property {string | (() => string)} [token] JWT of `@login`; a function when it is renewed while the page is open
 * @property {string | (() => string)} [authorization] in place of `token`: a whole `Authorization` header
 * @property {number} [timeout] seconds that the lock lives without a refresh; the service's default (600) when left out
 * @property {boolean} [stealable] false: only you, or a manager, can end the lock
 * @property {(lock: LockInfo) => void} [onHeldByOther] open() or steal() found somebody else's lock
 * @property {(lock: LockInfo) => void} [onStolen] somebody else has the lock now that was yours
 * @property {(reason: 'expired' | 'ended' | 'replaced' | 'unreachable' | 'gone' | 'refused') => void} [onLost] the lock is yours no
 *   more, and nobody else's: it ran out; it was ended by a manager or another browser of yours; another browser of yours ended it and
 *   took a new one; the service did not answer for so long that it must have run out; the object was deleted; your right to edit ended
 * @property {(lock: LockInfo, isNew: boolean) => void} [onRefreshed] the lock is yours for another lifetime. `isNew`: it was given
 *   back in between (page left and come back to), so look whether the content changed
 * @property {(error: Error, remainingMs: number) => void} [onRetry] a refresh failed and will be tried again
 * @property {typeof fetch} [fetch] in place of the browser's own
 */

/**
 * The lock of one object in one tab.
 *
 * **Tabs.** The service gives a user one lock per object, with one token, in all tabs. Tabs of one browser that hold the same token know
 * of each other through a BroadcastChannel named after it, and only the last one that leaves gives the lock back. What remains: tabs
 * that close in the same instant may each take the other for the one that stays; then the lock runs out by itself. Two different
 * browsers of one user cannot see each other: when one gives the lock back, the other is told by its next refresh (`onLost('ended')`).
 *
 * **Time.** How long the lock is still yours is counted with `performance.now()` from before the request was sent, so the page is never
 * more confident than the service, and setting the clock changes nothing. The service alone decides.
 */
export class EditLock {
  #options;
  #base;
  #fetch;
  /** @type {'idle' | 'held' | 'other' | 'lost' | 'released'} */
  #state = 'idle';
  /** @type {LockInfo} */
  #lock = { locked: false, stealable: true };
  /** Kept after a loss: see headers(). */
  #token;
  /** Until when the lock is ours at least, on the clock of performance.now(). */
  #leaseEndsAt = 0;
  #timer;
  #retries = 0;
  #isRefreshing = false;
  #releases = 0;
  #tabs = new SharingTabs(() => void this.#reopen());
  #isSuspended = false;
  #listeners = [];

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#base = options.url.replace(/\/+$/, '');
    this.#fetch = options.fetch ?? ((...args) => globalThis.fetch(...args));
  }

  /** `idle` before open(), then `held` by you, held by an `other`, `lost`, or `released`. */
  get state() {
    return this.#state;
  }

  /** The lock as it was last seen. @returns {LockInfo} */
  get lock() {
    return this.#lock;
  }

  /** Milliseconds that the lock is yours without another refresh; 0 when it is not. */
  get remainingMs() {
    return this.#state === 'held' ? Math.max(0, this.#leaseEndsAt - performance.now()) : 0;
  }

  /** How many other tabs of this browser edit with the same lock. */
  get otherTabs() {
    return this.#tabs.count;
  }

  /**
   * Takes the lock, or finds out who has it.
   *
   * @returns {Promise<{ isMine: boolean, lock: LockInfo }>}
   * @throws {EditLockError} never because somebody else has it
   * @throws {TypeError} the service cannot be reached (whatever `fetch` throws)
   */
  open() {
    return this.#take({});
  }

  /**
   * Takes the lock whoever has it, in one step. Whoever has it is told by the next refresh.
   *
   * @returns {Promise<{ isMine: boolean, lock: LockInfo }>} not yours: it is not stealable
   */
  steal() {
    return this.#take({ force: true });
  }

  /** The lock as the service has it now, without taking it. @returns {Promise<LockInfo>} */
  async look() {
    return (await this.#call('GET', '@lock')).json();
  }

  /**
   * For the request that saves. The token is sent after a loss too: the service then still accepts the save while nobody else changed
   * the object, and answers 412 otherwise. Without any token it could not tell.
   *
   * @returns {Record<string, string>}
   */
  headers() {
    return this.#token === undefined ? {} : { 'Lock-Token': this.#token };
  }

  /** Refreshes the lock now; needless unless you know something that this class does not. Never throws. */
  async refresh() {
    if (this.#state !== 'held' || this.#isRefreshing || this.#isSuspended) return;
    this.#isRefreshing = true;
    clearTimeout(this.#timer);
    const token = this.#token;
    const sentAt = performance.now();
    let answer;
    let failure;
    try {
      answer = await this.#read('PATCH');
    } catch (error) {
      failure = error;
    }
    this.#isRefreshing = false;
    // Released, stolen back or left meanwhile: the answer is about something that is over.
    if (this.#state !== 'held' || this.#token !== token || this.#isSuspended) return;

    if (failure) {
      if (failure.status === 404) return this.#lose('gone');
      if (failure.status === 403) return this.#lose('refused');
      // Anything else says nothing about the lock: the network or the service may come back, the login may be renewed.
      return this.#retry(failure);
    }
    if (!answer.locked) return this.#lose(performance.now() >= this.#leaseEndsAt ? 'expired' : 'ended');
    if (answer.token === undefined) return this.#loseTo(answer, 'onStolen');
    if (answer.token !== token) return this.#lose('replaced');
    this.#hold(answer, sentAt);
    this.#options.onRefreshed?.(answer, false);
  }

  /** Gives the lock back, unless another tab of this browser still edits with it. Call it when the editor closes. Never throws. */
  async release() {
    this.#releases++;
    const isHeld = this.#state === 'held';
    this.#end('released');
    if (isHeld && this.#tabs.leave()) await this.#giveBack(this.#token);
  }

  /** @returns {Promise<{ isMine: boolean, lock: LockInfo }>} */
  async #take(extra) {
    const { timeout, stealable } = this.#options;
    const releases = this.#releases;
    const sentAt = performance.now();
    let lock;
    try {
      lock = await this.#read('POST', { timeout, stealable, ...extra });
    } catch (error) {
      // 403 is either a lock that cannot be stolen or a missing right; who looks sees which.
      if (!extra.force || error.status !== 403) throw error;
      lock = await this.look();
      if (!lock.locked) throw error;
    }
    // The service shows the token to nobody but the holder.
    const isMine = lock.token !== undefined;
    if (releases !== this.#releases) {
      // The editor was closed before the answer came.
      if (isMine) await this.#giveBack(lock.token);
      return { isMine: false, lock };
    }
    if (isMine) {
      this.#hold(lock, sentAt);
    } else {
      this.#loseTo(lock, 'onHeldByOther');
    }
    return { isMine, lock };
  }

  /** By the token alone, so that it never ends a lock that another browser of the same user took since. */
  async #giveBack(token) {
    try {
      await this.#fetch(`${this.#base}/@lock-release`, {
        method: 'POST',
        headers: { 'Content-Type': 'text/plain' },
        body: token,
        // Outlives the page, like a beacon.
        keepalive: true,
      });
    } catch {
      // It runs out by itself.
    }
  }

  /** The page was come back to, or another tab gave back the lock that we share. */
  async #reopen() {
    try {
      const { isMine, lock } = await this.#take({});
      if (isMine) this.#options.onRefreshed?.(lock, true);
    } catch {
      this.#lose('unreachable');
    }
  }

  #hold(lock, sentAt) {
    this.#state = 'held';
    this.#lock = lock;
    this.#token = lock.token;
    this.#leaseEndsAt = sentAt + lock.timeout * 1000;
    this.#retries = 0;
    this.#tabs.join(lock.token, lock.timeout * 1000);
    this.#schedule((lock.timeout * 1000) / REFRESHES_PER_LIFETIME);
    this.#listen();
  }

  #schedule(delayMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), delayMs);
  }

  #retry(error) {
    const { remainingMs } = this;
    if (remainingMs === 0) return this.#lose('unreachable');
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.#retries++, LAST_RETRY_MS, remainingMs);
    this.#schedule(delayMs);
    this.#options.onRetry?.(error, remainingMs);
  }

  #lose(reason) {
    this.#end('lost');
    this.#tabs.close();
    this.#lock = { locked: false, stealable: true };
    this.#options.onLost?.(reason);
  }

  #loseTo(lock, callback) {
    this.#end('other');
    this.#tabs.close();
    this.#lock = lock;
    this.#options[callback]?.(lock);
  }

  #end(state) {
    this.#state = state;
    clearTimeout(this.#timer);
    this.#listeners.forEach((remove) => remove());
    this.#listeners = [];
  }

  /** What the page goes through while the lock is held. */
  #listen() {
    if (this.#listeners.length > 0 || typeof document === 'undefined') return;
    const on = (target, type, listener) => {
      target.addEventListener(type, listener);
      this.#listeners.push(() => target.removeEventListener(type, listener));
    };
    // Timers of hidden pages and of sleeping computers are late, and performance.now() may stand still with them: ask.
    on(document, 'visibilitychange', () => document.visibilityState === 'visible' && void this.refresh());
    on(window, 'focus', () => void this.refresh());
    on(window, 'online', () => void this.refresh());
    on(window, 'pagehide', () => this.#leavePage());
    on(window, 'pageshow', ({ persisted }) => persisted && this.#comeBack());
  }

  /** The page closes, or waits in the browser's back/forward cache: either way nobody edits. */
  #leavePage() {
    clearTimeout(this.#timer);
    this.#isSuspended = true;
    if (!this.#tabs.leave()) return;
    // `text/plain` needs no preflight, for which a closing page has no time. Credentials cannot be sent: the token is the proof.
    const isQueued = navigator.sendBeacon?.(`${this.#base}/@lock-release`, this.#token);
    if (!isQueued) void this.#giveBack(this.#token);
  }

  #comeBack() {
    if (!this.#isSuspended) return;
    this.#isSuspended = false;
    void this.#reopen();
  }

  /** A lock as the service answers it, also where that is an error. */
  async #read(method, body) {
    const response = await this.#call(method, '@lock', body, [403, 423]);
    if (response.ok) return response.json();
    if (method === 'PATCH' || response.status === 423) {
      // A refresh is refused when somebody else has the lock, and when the right to edit is gone.
      const lock = await this.look();
      if (lock.locked && lock.token === undefined) return lock;
    }
    throw await errorOf(response);
  }

  async #call(method, view, body, alsoFine = []) {
    const { token, authorization } = this.#options;
    const credentials = valueOf(authorization) ?? (token === undefined ? undefined : `Bearer ${valueOf(token)}`);
    const limitMs = method === 'PATCH' ? Math.min(REQUEST_MS, Math.max(this.remainingMs, LAST_REQUEST_MS)) : REQUEST_MS;
    const response = await this.#fetch(`${this.#base}/${view}`, {
      method,
      headers: {
        Accept: 'application/json',
        ...(credentials && { Authorization: credentials }),
        ...(body && { 'Content-Type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
      // The answer depends on who asks and when.
      cache: 'no-store',
      signal: AbortSignal.timeout(limitMs),
    });
    if (!response.ok && !alsoFine.includes(response.status)) throw await errorOf(response);
    return response;
  }
}

/** Tabs of this browser that edit with the same token. */
class SharingTabs {
  #id = crypto.getRandomValues(new Uint32Array(2)).join('-');
  #token;
  #channel;
  #lifetimeMs = 0;
  /** When each tab was last heard of: one that crashed says no goodbye, and is forgotten after a lifetime of the lock. */
  #heardAt = new Map();
  #onReleased;

  /** @param {() => void} onReleased a tab gave the lock back although this one has it */
  constructor(onReleased) {
    this.#onReleased = onReleased;
  }

  get count() {
    const now = performance.now();
    return [...this.#heardAt.values()].filter((at) => now - at < this.#lifetimeMs).length;
  }

  /** Tells the others that this tab has the lock; to be repeated with each refresh. */
  join(token, lifetimeMs) {
    if (typeof BroadcastChannel === 'undefined') return;
    this.#lifetimeMs = lifetimeMs;
    if (this.#token === token && this.#channel) return this.#say('here');
    this.close();
    this.#token = token;
    this.#channel = new BroadcastChannel(`edit-lock ${token}`);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#say('hello');
  }

  /** @returns {boolean} whether this was the last tab, which then has to give the lock back */
  leave() {
    const isLast = this.count === 0;
    this.#say('bye', { isReleased: isLast });
    this.close();
    return isLast;
  }

  /** The lock is gone, which the other tabs find out for themselves. An open channel would also keep the page out of the browser's cache. */
  close() {
    this.#channel?.close();
    this.#channel = undefined;
    this.#heardAt.clear();
  }

  #hear({ kind, id, isReleased }) {
    if (kind === 'bye') this.#heardAt.delete(id);
    else this.#heardAt.set(id, performance.now());
    if (kind === 'hello') this.#say('here');
    // It left before it had heard of this tab.
    if (isReleased) this.#onReleased();
  }

  #say(kind, more) {
    this.#channel?.postMessage({ kind, id: this.#id, ...more });
  }
}

const valueOf = (given) => (typeof given === 'function' ? given() : given);

/** The service's own words, from either of its two shapes of errors. */
async function errorOf(response) {
  let message;
  try {
    const body = await response.json();
    message = body.error?.message ?? body.message;
  } catch {
    // Not from the service: a proxy, perhaps.
  }
  return new EditLockError(message ?? `${response.status} ${response.statusText}`, response.status);
}
