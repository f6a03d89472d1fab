import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { waitFor } from '../support/wait-for';

const EXAMPLE = join(__dirname, '..', '..', 'examples', 'edit-lock');
/** Folder for pictures of the page, to be looked at; none are taken when it is unset. */
const SCREENSHOTS = process.env['BROWSER_SCREENSHOTS'];

/** The users of the tests; their passwords are `passwordOf` their names. */
const ROLES = { alice: 'editor', bob: 'editor', mia: 'manager' };
export const passwordOf = (user: string): string => `${user}-password`;
export const CMS_USERS = Object.entries(ROLES)
  .map(([user, role]) => `${user}:${passwordOf(user)}:${role}`)
  .join(',');

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env['LATCHKEY_TEST_BROWSER'],
    // Root has no sandbox to offer; nothing but our own page is opened.
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
    // Coming back to a page that the browser kept is among what is tested.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });

/** The example's own server, on a free port. */
export class ExampleServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  static async start(): Promise<ExampleServer> {
    const child = spawn(process.execPath, [join(EXAMPLE, 'serve.mjs'), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await waitFor(() => /^open \S+$/m.test(printed), 30_000);
    return new ExampleServer(child, /^open (\S+)$/m.exec(printed)![1]!);
  }

  stop(): void {
    this.child.kill();
  }
}

/** What the page is opened with. */
export interface EditorOptions {
  readonly service: string;
  /** Of the document. */
  readonly path: string;
  /** One pane each. */
  readonly users: readonly string[];
  /** Seconds that a lock lives without a refresh. */
  readonly timeout: number;
}

/** The page in one tab. */
export class EditorPage {
  /** Errors that nothing in the page caught. */
  readonly faults: string[] = [];

  private constructor(readonly page: Page) {
    page.on('pageerror', ({ message }) => this.faults.push(message));
  }

  /** Opens the page and logs everybody in. */
  static async open(context: BrowserContext, site: string, options: EditorOptions): Promise<EditorPage> {
    const editor = new EditorPage(await context.newPage());
    const { service, path, users, timeout } = options;
    const query = new URLSearchParams({ service, path, users: users.join(','), timeout: String(timeout) });
    await editor.page.goto(`${site}?${query.toString()}`);
    for (const user of users) await editor.logIn(user);
    return editor;
  }

  pane(user: string): Locator {
    return this.page.getByRole('article', { name: `Editor of ${user}` });
  }

  button(user: string, name: string): Locator {
    return this.pane(user).getByRole('button', { name, exact: true });
  }

  field(user: string, label: string): Locator {
    return this.pane(user).getByLabel(label);
  }

  async logIn(user: string): Promise<void> {
    await this.field(user, 'Password').fill(passwordOf(user));
    await this.button(user, 'Log in').click();
    await this.button(user, 'Log in').waitFor({ state: 'hidden' });
  }

  /** Begins to edit, and expects to get the lock. */
  async edit(user: string): Promise<void> {
    await this.button(user, 'Edit').click();
    await this.sees(user, 'You are editing.');
  }

  async save(user: string, title: string): Promise<void> {
    await this.field(user, 'Title').fill(title);
    await this.button(user, 'Save').click();
  }

  /** Waits until the pane says this somewhere. */
  async sees(user: string, text: string | RegExp): Promise<void> {
    await this.pane(user).getByText(text).first().waitFor();
  }

  /** Leaves the page as somebody would who closes the tab, handlers included. */
  async closeTab(): Promise<void> {
    const closed = this.page.waitForEvent('close');
    await this.page.close({ runBeforeUnload: true });
    await closed;
  }

  async picture(name: string): Promise<void> {
    if (!SCREENSHOTS) return;
    mkdirSync(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  }
}
