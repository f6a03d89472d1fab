import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type Browser, type BrowserContext } from 'playwright-core';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';
import { CMS_USERS, EditorPage, ExampleServer, launchBrowser, passwordOf } from './editor-page';

/**
 * Seconds: long enough that nothing happens by itself within a test, and so short that everything does. A page refreshes after a third
 * of it, so a machine that stands still for three seconds does not end a lock that is to be kept.
 */
const LONG = 600;
const SHORT = 6;

jest.setTimeout(120_000);

interface Lock {
  locked: boolean;
  creator?: string;
  created?: string;
  token?: string;
}

describe('examples/edit-lock in a browser', () => {
  const dataDir = newDataDir();
  let service: ServiceProcess;
  let site: ExampleServer;
  let browser: Browser;
  let path: string;
  const opened: BrowserContext[] = [];
  const editors: EditorPage[] = [];

  beforeAll(async () => {
    [service, site, browser] = await Promise.all([
      ServiceProcess.start({ DATA_DIR: dataDir, CMS_USERS, GRPC_PORT: 'off' }),
      ExampleServer.start(),
      launchBrowser(),
    ]);
  });

  beforeEach(async () => {
    path = `/page-${randomUUID()}`;
    const document = {
      '@type': 'Document',
      id: path.slice(1),
      title: 'Opening hours',
      text: 'Monday to Friday, 9 to 17.',
    };
    expect((await call('alice', 'POST', '/', document)).status).toBe(201);
  });

  afterEach(async () => {
    expect(editors.flatMap(({ faults }) => faults)).toEqual([]);
    editors.length = 0;
    await Promise.all(opened.splice(0).map((context) => context.close()));
  });

  afterAll(async () => {
    await browser?.close();
    site?.stop();
    await service?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** A request by somebody, past the browser. */
  const call = (user: string, method: string, at: string, body?: object): Promise<Response> =>
    fetch(service.url + at, {
      method,
      headers: { Authorization: `Basic ${Buffer.from(`${user}:${passwordOf(user)}`).toString('base64')}` },
      ...(body && { body: JSON.stringify(body) }),
    });
  const json = async <T>(user: string, at: string): Promise<T> => (await (await call(user, 'GET', at)).json()) as T;
  /** The lock as its present holder would see it. */
  const lock = (user = 'alice'): Promise<Lock> => json<Lock>(user, `${path}/@lock`);
  const title = async (): Promise<string> => (await json<{ title: string }>('bob', path)).title;

  /** A session of its own, as another computer's browser. */
  async function newSession(): Promise<BrowserContext> {
    const context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
    opened.push(context);
    return context;
  }

  async function open(user: string | string[], timeout = LONG, context?: BrowserContext): Promise<EditorPage> {
    const options = { service: service.url, path, users: [user].flat(), timeout };
    const editor = await EditorPage.open(context ?? (await newSession()), site.url, options);
    editors.push(editor);
    return editor;
  }

  it('locks for one session and shows the other one who holds it', async () => {
    const alice = await open('alice');
    await alice.edit('alice');
    const bob = await open('bob');
    await bob.sees('bob', 'alice is editing.');
    await bob.sees('bob', /Last refreshed at \d\d:\d\d:\d\d\. Without another refresh the lock ends at/);
    expect(await bob.button('bob', 'Edit').isVisible()).toBe(false);
    expect(await bob.field('bob', 'Title').isEditable()).toBe(false);
    expect(await lock()).toMatchObject({ locked: true, creator: 'alice' });
  });

  it('saves with the lock of the holder, and refuses the save of everybody else', async () => {
    const [alice, bob] = [await open('alice'), await open('bob')];
    await alice.edit('alice');
    await bob.sees('bob', 'alice is editing');
    await bob.button('bob', 'Try to save all the same').click();
    await bob.sees('bob', 'The service refused this. (403 Resource is locked.)');
    await alice.save('alice', 'Saved by alice');
    await alice.sees('alice', /^\d\d:\d\d:\d\dSaved$/);
    expect(await title()).toBe('Saved by alice');
    await alice.save('alice', 'Saved again');
    await waitFor(async () => (await title()) === 'Saved again');
  });

  it('lets nobody in between: of two who begin at once, one gets the lock and the other is told', async () => {
    const [alice, bob] = [await open('alice'), await open('bob')];
    await Promise.all([alice.button('alice', 'Edit').click(), bob.button('bob', 'Edit').click()]);
    await waitFor(async () => (await lock()).locked);
    const isAlice = (await lock()).creator === 'alice';
    await (isAlice ? alice : bob).sees(isAlice ? 'alice' : 'bob', 'You are editing.');
    await (isAlice ? bob : alice).sees(isAlice ? 'bob' : 'alice', `${isAlice ? 'alice' : 'bob'} is editing`);
  });

  it('refreshes the lock before its time is over, and keeps its token', async () => {
    const alice = await open('alice', SHORT);
    await alice.edit('alice');
    const before = await lock();
    await waitFor(
      async () => Date.parse((await lock()).created!) - Date.parse(before.created!) > 2 * SHORT * 1000,
      60_000,
    );
    expect((await lock()).token).toBe(before.token);
    expect(await alice.pane('alice').getAttribute('data-view')).toBe('mine');
  });

  it('refreshes at once when the page is looked at again', async () => {
    const alice = await open('alice');
    await alice.edit('alice');
    const refreshed = alice.page.waitForResponse((response) => response.request().method() === 'PATCH');
    await alice.page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    expect((await refreshed).status()).toBe(200);
    await alice.sees('alice', 'Lock refreshed');
  });

  it('warns whoever is taken over, keeps what was typed, and lets nothing of it through', async () => {
    const [alice, bob] = [await open('alice', SHORT), await open('bob', SHORT)];
    await alice.edit('alice');
    await alice.field('alice', 'Title').fill('Half a sentence');
    await bob.sees('bob', 'alice is editing');
    await bob.button('bob', 'Take over').click();
    await bob.sees('bob', 'You are editing.');
    await alice.sees('alice', 'bob has taken over.');
    expect(await alice.field('alice', 'Title').inputValue()).toBe('Half a sentence');
    await alice.button('alice', 'Try to save all the same').click();
    await alice.sees('alice', 'The service refused this. (403 Resource is locked.)');

    await bob.save('bob', 'By bob');
    await bob.sees('bob', /Saved$/);
    await bob.button('bob', 'Close editor').click();
    await waitFor(async () => !(await lock()).locked);
    // The token is known, the lock is over, and somebody else changed the document.
    await alice.button('alice', 'Try to save all the same').click();
    await alice.sees('alice', /\(412 The lock of this token ended, and another user has changed the object since\.\)/);
    expect(await title()).toBe('By bob');
  });

  it('offers no take-over of a lock that cannot be stolen', async () => {
    await call('alice', 'POST', `${path}/@lock`, { stealable: false });
    const bob = await open('bob');
    await bob.sees('bob', 'This lock cannot be taken over.');
    expect(await bob.button('bob', 'Take over').isVisible()).toBe(false);
  });

  it('asks for a password, and says when it is wrong', async () => {
    const editor = await open([]);
    await editor.page.goto(editor.page.url().replace('users=', 'users=alice,bob'));
    await editor.picture('0-login');
    await editor.field('alice', 'Password').fill('wrong');
    await editor.button('alice', 'Log in').click();
    await editor.sees('alice', 'Please log in. (401 Wrong login and/or password.)');
    await editor.logIn('alice');
    await editor.sees('alice', 'Nobody is editing.');
  });

  it('says so when a take-over is refused after all', async () => {
    await call('alice', 'POST', `${path}/@lock`);
    const bob = await open('bob');
    await bob.button('bob', 'Take over').waitFor();
    // Between two looks of the page, none of which is under way any more once the next one has failed.
    const blindLook = bob.page.waitForEvent('requestfailed', (request) => request.url().endsWith('@lock'));
    await bob.page.route(/@lock$/, (route) => (route.request().method() === 'GET' ? route.abort() : route.continue()));
    await blindLook;
    await call('alice', 'POST', `${path}/@lock`, { stealable: false });
    await bob.button('bob', 'Take over').click();
    await bob.page.unroute(/@lock$/);
    await bob.sees('bob', 'alice has the lock');
    expect(await bob.button('bob', 'Take over').isVisible()).toBe(false);
    expect(await lock()).toMatchObject({ creator: 'alice' });
  });

  it('gives the lock back when the editor, the page or the tab is closed', async () => {
    const alice = await open('alice');
    await alice.edit('alice');
    await alice.button('alice', 'Close editor').click();
    await waitFor(async () => !(await lock()).locked);

    await alice.edit('alice');
    await alice.page.goto('about:blank');
    await waitFor(async () => !(await lock()).locked);

    const again = await open('alice');
    await again.edit('alice');
    await again.closeTab();
    await waitFor(async () => !(await lock()).locked);
  });

  it('takes the lock again when the page is come back to', async () => {
    const alice = await open('alice');
    await alice.edit('alice');
    await alice.page.goto(`${site.url}?users=bob`);
    await waitFor(async () => !(await lock()).locked);
    // What the browser kept is not loaded again, so there is no load to wait for.
    await alice.page.goBack({ waitUntil: 'commit' });
    await alice.sees('alice', 'Lock taken again');
    expect((await lock()).token).toBeDefined();
  });

  it('says so when somebody else has it by then, and keeps what was typed', async () => {
    const alice = await open('alice');
    await alice.edit('alice');
    await alice.field('alice', 'Title').fill('Half a sentence');
    await alice.page.goto('about:blank');
    await waitFor(async () => !(await lock()).locked);
    await call('bob', 'POST', `${path}/@lock`);
    await alice.page.goBack({ waitUntil: 'commit' });
    await alice.sees('alice', 'bob has taken over.');
    expect(await alice.field('alice', 'Title').inputValue()).toBe('Half a sentence');
  });

  it('takes the lock again when a tab gave it back that had not heard of this one yet', async () => {
    const alice = await open('alice');
    await alice.edit('alice');
    const { token } = await lock();
    await call('alice', 'DELETE', `${path}/@lock`);
    await alice.page.evaluate(
      `new BroadcastChannel('edit-lock ${token}').postMessage({ kind: 'bye', id: 'another', isReleased: true })`,
    );
    await alice.sees('alice', 'Lock taken again');
    expect(await lock()).toMatchObject({ locked: true, creator: 'alice' });
  });

  it('gives back a lock that it got after the editor was closed', async () => {
    const { page } = await open([]);
    const script = `(async () => {
      const lock = ${lockScript('alice')};
      const opening = lock.open();
      await lock.release();
      return [(await opening).isMine, lock.state];
    })()`;
    expect(await page.evaluate(script)).toEqual([false, 'released']);
    expect(await lock()).toEqual({ locked: false, stealable: true });
  });

  it.each([
    ['a wrong password', 401, 'nobody', (): string => path],
    ['no such object', 404, 'alice', (): string => '/nothing'],
  ])('throws what stands in the way: %s', async (_what, status, user, at) => {
    const { page } = await open([]);
    const script = `(async () => {
      const lock = ${lockScript(user, at())};
      return lock.open().catch(({ name, status }) => [name, status, lock.state]);
    })()`;
    expect(await page.evaluate(script)).toEqual(['EditLockError', status, 'idle']);
  });

  /** Source of an EditLock as programs make one. */
  const lockScript = (user: string, at = path): string => {
    const authorization = `Basic ${Buffer.from(`${user}:${passwordOf(user)}`).toString('base64')}`;
    return `new (await import('/edit-lock.js')).EditLock(${JSON.stringify({ url: service.url + at, authorization })})`;
  };

  it('leaves the lock to the other tab of the same user, and gives it back with the last one', async () => {
    const session = await newSession();
    const [first, second] = [await open('alice', SHORT, session), await open('alice', SHORT, session)];
    await first.edit('alice');
    await second.edit('alice');
    await first.sees('alice', 'Shared with 1 other tab of yours.');
    const { token } = await lock();
    await second.closeTab();
    await first.pane('alice').getByText('Shared with').waitFor({ state: 'hidden' });
    await first.sees('alice', 'Lock refreshed');
    expect(await lock()).toMatchObject({ locked: true, token });
    await first.closeTab();
    await waitFor(async () => !(await lock()).locked);
  });

  it('notices that the lock ran out while the service could not be reached', async () => {
    const alice = await open('alice', SHORT);
    await alice.edit('alice');
    await alice.page.context().setOffline(true);
    await alice.sees('alice', /Refresh failed .*, trying again/);
    await alice.sees('alice', 'The service does not answer.');
    await alice.picture('8-trying-again');
    await alice.sees('alice', 'The service did not answer until your lock ran out.');
    await alice.picture('9-lost');
    await waitFor(async () => !(await lock()).locked);
    expect(await alice.button('alice', 'Save').isVisible()).toBe(false);
  });

  it('notices that the lock ran out while the computer slept', async () => {
    const alice = await open('alice', SHORT);
    await alice.edit('alice');
    const devTools = await alice.page.context().newCDPSession(alice.page);
    await devTools.send('Debugger.enable');
    await devTools.send('Debugger.pause');
    await waitFor(async () => !(await lock()).locked, 30_000);
    await devTools.send('Debugger.disable');
    await alice.sees('alice', 'Your lock ran out.');
  });

  it('keeps the lock through failures that pass', async () => {
    const alice = await open('alice', SHORT);
    await alice.edit('alice');
    let failures = 0;
    await alice.page.route(/@lock$/, (route) => {
      if (route.request().method() === 'PATCH' && failures++ < 2)
        return failures === 1 ? route.abort() : route.fulfill({ status: 503 });
      return route.continue();
    });
    await alice.sees('alice', 'Lock refreshed');
    expect(failures).toBeGreaterThan(1);
    expect(await alice.pane('alice').getAttribute('data-view')).toBe('mine');
  });

  it.each([
    ['was ended from another browser', (): Promise<unknown> => unlock(), 'Your lock was ended'],
    ['went with the document', deleteDocument, 'The document was deleted.'],
    ['was replaced', replaceLock, 'Another browser of yours has taken a new lock.'],
  ])('tells that the lock %s', async (_what, happen, text) => {
    const alice = await open('alice', SHORT);
    await alice.edit('alice');
    await happen();
    await alice.sees('alice', text);
    expect(await alice.field('alice', 'Title').isEditable()).toBe(false);
  });

  const unlock = (): Promise<Response> => call('alice', 'DELETE', `${path}/@lock`);

  async function replaceLock(): Promise<void> {
    await unlock();
    await call('alice', 'POST', `${path}/@lock`);
  }

  async function deleteDocument(): Promise<void> {
    await unlock();
    expect((await call('alice', 'DELETE', path)).status).toBe(204);
  }

  it('has two editors on one page, works from the keyboard, and fits a phone', async () => {
    const both = await open(['alice', 'bob']);
    await both.picture('1-free');
    await both.button('alice', 'Edit').press('Enter');
    await both.sees('alice', 'You are editing.');
    await both.sees('bob', 'alice is editing');
    // The title has the focus now; Enter in it saves.
    await both.page.keyboard.press('Control+A');
    await both.page.keyboard.type('Opening hours in winter');
    await both.page.keyboard.press('Enter');
    await both.sees('alice', /Saved$/);
    expect(await title()).toBe('Opening hours in winter');
    await both.picture('2-locked');
    await both.button('bob', 'Try to save all the same').click();
    await both.sees('bob', '403 Resource is locked.');
    await both.picture('3-refused');
    await both.button('bob', 'Take over').press('Enter');
    await both.sees('bob', 'You are editing.');
    await both.page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await both.sees('alice', 'bob has taken over.');
    await both.picture('4-taken-over');
    await both.page.emulateMedia({ colorScheme: 'dark' });
    await both.picture('5-dark');
    await both.page.setViewportSize({ width: 360, height: 740 });
    await both.picture('6-phone-dark');
    await both.page.emulateMedia({ colorScheme: 'light' });
    await both.picture('7-phone');
    expect(await both.page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  });
});
