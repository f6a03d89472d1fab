// The page: one pane per user, each with an EditLock of its own. In the address:
//
//   ?service=http://127.0.0.1:8080   where Latchkey listens
//   &path=/edit-lock-demo            the document; made when it does not exist
//   &users=alice,bob                 one pane each
//   &timeout=60                      seconds that a lock lives without a refresh
import { EditLock } from './edit-lock.js';

const query = new URLSearchParams(location.search);
const service = (query.get('service') ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
const path = query.get('path') ?? '/edit-lock-demo';
const users = (query.get('users') ?? 'alice,bob').split(',');
const timeout = Number(query.get('timeout') ?? 60);

/** Milliseconds between looks at a lock that this pane does not hold, and between pictures of the time left. */
const LOOK_EVERY_MS = 2000;
const DRAW_EVERY_MS = 250;
const LOG_LINES = 6;

const LOST = {
  expired: 'Your lock ran out.',
  ended: 'Your lock was ended: by a manager, or by another browser of yours.',
  replaced: 'Another browser of yours has taken a new lock.',
  unreachable: 'The service did not answer until your lock ran out.',
  gone: 'The document was deleted.',
  refused: 'You may not edit this document any more.',
};

const KEPT = 'What you typed since your last save is still here, but not saved.';

/**
 * What a pane can be in: its badge and tone, what it says, and which buttons it offers. In `stolen` and `lost` the fields keep what was
 * typed, so that nothing is lost that was not saved.
 */
const VIEWS = {
  free: { badge: 'Free', say: () => 'Nobody is editing.', offer: ['edit'] },
  mine: { badge: 'Editing', tone: 'good', say: () => 'You are editing. Others see that.', offer: ['save', 'close'] },
  shaky: {
    badge: 'Editing',
    tone: 'warn',
    say: () => 'The service does not answer. The page keeps trying, and keeps what you type.',
    offer: ['save', 'close'],
  },
  other: {
    badge: 'Locked',
    tone: 'warn',
    say: ({ lock }) => `${nameOf(lock)} is editing.${stealableText(lock)}`,
    offer: ['takeOver', 'trySave'],
  },
  stolen: {
    badge: 'Taken over',
    tone: 'bad',
    say: ({ lock }) => `${nameOf(lock)} has taken over.${stealableText(lock)} ${KEPT}`,
    offer: ['takeOver', 'reload', 'trySave'],
  },
  lost: {
    badge: 'Lock lost',
    tone: 'bad',
    say: ({ reason }) => `${LOST[reason]} ${KEPT}`,
    offer: ['edit', 'reload', 'trySave'],
  },
};

class Pane {
  #root = document.querySelector('#pane').content.cloneNode(true).firstElementChild;
  #user;
  #jwt;
  #lock;
  /** Of the content in the fields: a save says which text it changes. */
  #etag;
  #view;

  constructor(user) {
    this.#user = user;
    this.#title(user);
    this.#badge('Not logged in');
    const login = this.#find('.login');
    login.elements.user.value = user;
    login.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#try(() => this.#logIn(login.elements));
    });
    this.#find('.document').addEventListener('submit', (event) => {
      event.preventDefault();
      if (isMine(this.#view)) void this.#try(() => this.#save());
    });
    const actions = {
      edit: () => this.#edit(),
      takeOver: () => this.#takeOver(),
      reload: () => this.#reload(),
      close: () => this.#close(),
      trySave: () => this.#save(),
    };
    for (const [name, action] of Object.entries(actions)) {
      this.#find(`[data-action=${name}]`).addEventListener('click', () => void this.#try(action));
    }
    document.querySelector('#panes').append(this.#root);
    setInterval(() => this.#drawLease(), DRAW_EVERY_MS);
    setInterval(() => void this.#lookAgain(), LOOK_EVERY_MS);
  }

  async #logIn({ user, password }) {
    const body = { login: user.value, password: password.value };
    const { json } = await this.#send('POST', `${service}/@login`, { body });
    password.value = '';
    this.#jwt = json.token;
    this.#user = user.value;
    this.#title(user.value);
    this.#lock = new EditLock({
      url: service + path,
      token: () => this.#jwt,
      timeout,
      onHeldByOther: (lock) =>
        this.#show(this.#hasTyped ? 'stolen' : 'other', { lock }, `${nameOf(lock)} has the lock`),
      onStolen: (lock) => this.#show('stolen', { lock }, `${nameOf(lock)} took over`),
      onLost: (reason) => this.#show('lost', { reason }, LOST[reason]),
      onRefreshed: (_lock, isNew) => this.#refreshed(isNew),
      onRetry: ({ message }) => this.#show('shaky', {}, `Refresh failed (${message}), trying again`),
    });
    await this.#load();
    this.#find('.login').hidden = true;
    this.#find('.workspace').hidden = false;
    this.#log('Logged in');
    await this.#reload();
  }

  async #load() {
    let answer = await this.#send('GET', service + path, { isFine: [404] });
    if (answer.status === 404) {
      const at = path.lastIndexOf('/');
      const body = {
        '@type': 'Document',
        id: path.slice(at + 1),
        title: 'Opening hours',
        text: 'Monday to Friday, 9 to 17.',
      };
      // 409: the other pane made it at the same time.
      await this.#send('POST', service + path.slice(0, at), { body, isFine: [400, 409] });
      answer = await this.#send('GET', service + path);
    }
    const { title, text } = this.#find('.document').elements;
    title.value = answer.json.title;
    text.value = answer.json.text ?? '';
    this.#etag = answer.etag;
  }

  /** Shows what is saved, and who edits it. */
  async #reload() {
    await this.#load();
    const lock = await this.#lock.look();
    // One's own lock, from another tab, is opened like a free one.
    if (lock.locked && lock.token === undefined) this.#show('other', { lock });
    else this.#show(this.#lock.state === 'held' ? 'mine' : 'free', {});
  }

  async #edit() {
    const { isMine } = await this.#lock.open();
    if (isMine) await this.#begin('Lock taken');
  }

  async #takeOver() {
    const { isMine } = await this.#lock.steal();
    if (isMine) await this.#begin('Taken over');
  }

  async #begin(line) {
    // The lock is new, so the text may be old. What somebody typed stays, though: saving it says whether it is outdated.
    if (!this.#hasTyped) await this.#load();
    this.#show('mine', {}, line);
    this.#find('.document').elements.title.focus();
  }

  async #save() {
    const { title, text } = this.#find('.document').elements;
    const { status, etag, json } = await this.#send('PATCH', service + path, {
      body: { title: title.value, text: text.value },
      // The lock keeps others out, the entity tag notices what happened while there was none.
      headers: { ...this.#lock.headers(), 'If-Match': this.#etag },
      isFine: [412],
    });
    if (status === 412) {
      this.#find('[data-action=reload]').hidden = false;
      throw new Error(`Not saved: the document was changed since you began. (412 ${messageIn(json)})`);
    }
    this.#etag = etag;
    this.#log('Saved');
  }

  async #close() {
    await this.#lock.release();
    this.#log('Lock given back');
    await this.#reload();
  }

  #refreshed(isNew) {
    this.#log(isNew ? 'Lock taken again' : 'Lock refreshed');
    // A new one: away from the page the lock was given back. When saving, the entity tag tells whether somebody used that.
    this.#show('mine', {});
  }

  async #lookAgain() {
    if (document.hidden || (this.#view !== 'free' && this.#view !== 'other')) return;
    const before = this.#view;
    try {
      const lock = await this.#lock.look();
      if (this.#view !== before) return;
      if (lock.locked && lock.token === undefined) this.#show('other', { lock });
      else if (before === 'other') await this.#reload();
    } catch {
      // The next look may do better.
    }
  }

  #show(view, facts, line) {
    const { badge, tone, say, offer } = VIEWS[view];
    if (this.#view !== view) this.#find('.error').hidden = true;
    this.#view = view;
    this.#root.dataset.view = view;
    this.#root.dataset.tone = tone ?? '';
    this.#badge(badge);
    // Only when it differs: screen readers say it again otherwise. They leave out the times, which change with each refresh.
    const notice = this.#find('.notice [role=status]');
    const text = say(facts);
    if (notice.textContent !== text) notice.textContent = text;
    this.#find('.notice .detail').textContent = timesOf(facts.lock);
    const canTakeOver = facts.lock?.stealable !== false;
    for (const button of this.#root.querySelectorAll('.workspace [data-action]')) {
      const { action } = button.dataset;
      button.hidden = !offer.includes(action) || (action === 'takeOver' && !canTakeOver);
    }
    for (const field of this.#root.querySelectorAll('.document :is(input, textarea)')) field.readOnly = !isMine(view);
    this.#drawLease();
    if (line) this.#log(line);
  }

  #drawLease() {
    const lease = this.#find('.lease');
    lease.hidden = !isMine(this.#view);
    if (lease.hidden) return;
    const { remainingMs, lock, otherTabs } = this.#lock;
    const seconds = Math.ceil(remainingMs / 1000);
    const tabs = otherTabs > 0 ? ` Shared with ${otherTabs} other tab${otherTabs > 1 ? 's' : ''} of yours.` : '';
    const promise = this.#view === 'mine' ? ', and refreshed before that' : '';
    this.#find('.lease span').textContent = `Yours for ${seconds} s more${promise}.${tabs}`;
    this.#find('.bar i').style.transform = `scaleX(${remainingMs / 1000 / lock.timeout})`;
  }

  /** Whether the fields may show something that is not saved. */
  get #hasTyped() {
    return !['free', 'other'].includes(this.#view);
  }

  #title(name) {
    this.#root.setAttribute('aria-label', `Editor of ${name}`);
    this.#find('h2').textContent = name;
    this.#find('.avatar').textContent = name[0] ?? '?';
  }

  #badge(text) {
    this.#find('.badge').textContent = text;
  }

  #log(text) {
    const log = this.#find('.log');
    log.hidden = false;
    const line = document.createElement('li');
    const time = document.createElement('time');
    time.textContent = clock(Date.now());
    line.append(time, text);
    log.prepend(line);
    while (log.children.length > LOG_LINES) log.lastElementChild.remove();
  }

  /** Runs what a button does, and says below the editor what went wrong. */
  async #try(action) {
    const error = this.#find('.error');
    error.hidden = true;
    try {
      await action();
    } catch ({ message }) {
      error.textContent = message;
      error.hidden = false;
    }
  }

  async #send(method, url, { body, headers, isFine = [] } = {}) {
    let response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          Accept: 'application/json',
          ...(this.#jwt && { Authorization: `Bearer ${this.#jwt}` }),
          ...(body && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        body: body && JSON.stringify(body),
        cache: 'no-store',
      });
    } catch {
      throw new Error(`${service} does not answer.`);
    }
    const { status } = response;
    const json = await response.json().catch(() => null);
    if (!response.ok && !isFine.includes(status))
      throw new Error(`${refusalOf(status)} (${status} ${messageIn(json)})`);
    return { status, json, etag: response.headers.get('ETag') };
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }
}

const isMine = (view) => view === 'mine' || view === 'shaky';
const refusalOf = (status) => (status === 401 ? 'Please log in.' : 'The service refused this.');
const messageIn = (json) => json?.error?.message ?? json?.message ?? '';
const nameOf = ({ creator_name: name, creator }) => name ?? creator;
const stealableText = ({ stealable }) => (stealable ? '' : ' This lock cannot be taken over.');

/** `created` is the last refresh, so it says that the holder was still there. */
function timesOf(lock) {
  if (!lock?.created) return '';
  const refreshedAt = Date.parse(lock.created);
  return `Last refreshed at ${clock(refreshedAt)}. Without another refresh the lock ends at ${clock(refreshedAt + lock.timeout * 1000)}.`;
}

const clock = (time) => new Date(time).toLocaleTimeString('en-GB');

document.querySelector('#intro').textContent = `${service}${path}`;
users.forEach((user) => new Pane(user));
