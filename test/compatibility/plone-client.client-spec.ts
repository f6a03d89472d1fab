import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startApp, type TestApp } from '../support/start-app';

/** What a call came to: a value, a refusal of ours, or something that the library found wrong before it sent anything. */
interface Outcome {
  value?: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- whatever the service answered
  error?: { status?: number; data?: any; name?: string; issues?: string[]; message?: string }; // eslint-disable-line @typescript-eslint/no-explicit-any -- the same
}

interface SentRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

/** `@plone/client` in a process of its own; calls go one after the other. */
class PloneClients {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly answers: AsyncIterator<string>;
  private errors = '';

  constructor(apiPath: string) {
    this.child = spawn(process.execPath, [join(__dirname, 'plone-client-program.mjs'), apiPath]);
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
  }

  async call(session: string, call: string, args: object = {}): Promise<Outcome> {
    this.child.stdin.write(`${JSON.stringify({ session, call, args })}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new Error(`the client ended: ${this.errors}`);
    return JSON.parse(value) as Outcome;
  }

  async close(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.stdin.end();
    expect(await exit).toEqual([0, null]);
  }
}

let app: TestApp;
let clients: PloneClients;
/** Everything that the clients sent since a test began. */
let sent: SentRequest[] = [];

beforeAll(async () => {
  app = await startApp({ CMS_USERS: 'alice:pw:editor,bob:pw:editor,mia:pw:manager,rita:pw:reader' });
  app.app.getHttpServer().on('request', ({ method, url, headers }: IncomingMessage) => {
    sent.push({ method: method!, target: url!, headers });
  });
  clients = new PloneClients(`http://127.0.0.1:${app.port}`);
  for (const username of ['alice', 'bob', 'mia', 'rita']) {
    expect(await clients.call(username, 'login', { username, password: 'pw' })).toEqual({ value: expect.any(String) });
  }
  await succeed('alice', 'createContent', { path: '/', data: { '@type': 'Folder', title: 'News' } });
});
afterAll(async () => {
  await clients?.close();
  await app?.close();
});
beforeEach(() => void (sent = []));

/** The value of a call that must succeed. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever the service answered
async function succeed(session: string, call: string, args: object = {}): Promise<any> {
  const { value, error } = await clients.call(session, call, args);
  if (error) throw new Error(`${call} failed: ${JSON.stringify(error)}`);
  return value;
}

const url = (path: string): string => `http://127.0.0.1:${app.port}${path}`;
const targets = (): string[] => sent.map(({ method, target }) => `${method} ${target}`);

let count = 0;
/** A page of its own for a test. @returns the path of its address */
async function addPage(): Promise<string> {
  const data = { '@type': 'Document', title: `Page ${++count}` };
  const { '@id': id } = await succeed('alice', 'createContent', { path: '/news', data });
  sent = [];
  return new URL(id as string).pathname;
}

describe('login', () => {
  it('gives the token that the client sends from then on', async () => {
    const token = await succeed('new', 'login', { username: 'alice', password: 'pw' });
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
    expect(claims).toMatchObject({ iss: 'latchkey', sub: 'alice', fullname: 'alice' });
    await succeed('new', 'getUser', { userId: 'alice' });
    expect(targets()).toEqual(['POST /++api++/@login', 'GET /++api++/@users/alice']);
    expect(sent[1]!.headers.authorization).toBe(`Bearer ${token}`);
  });

  it('is refused with the words that a front end shows', async () => {
    expect(await clients.call('wrong', 'login', { username: 'alice', password: 'wrong' })).toEqual({
      error: {
        status: 401,
        data: { error: { type: 'Invalid credentials', message: 'Wrong login and/or password.' } },
      },
    });
  });
});

describe('content', () => {
  it('is created, read, changed and deleted', async () => {
    const made = await succeed('alice', 'createContent', {
      path: '/news',
      data: { '@type': 'Document', title: 'Hello, world', description: 'A page', language: 'en' },
    });
    expect(made).toMatchObject({
      '@id': url('/news/hello-world'),
      '@type': 'Document',
      id: 'hello-world',
      UID: expect.stringMatching(/^[0-9a-f]{32}$/),
      title: 'Hello, world',
      description: 'A page',
      language: 'en',
      is_folderish: false,
      review_state: 'published',
      parent: { '@id': url('/news'), '@type': 'Folder', title: 'News' },
      lock: { locked: false, stealable: true },
    });
    expect(await succeed('rita', 'getContent', { path: '/news/hello-world' })).toEqual(made);

    const blocks = { a: { '@type': 'slate', plaintext: 'text' } };
    const data = { title: 'Hello', blocks };
    expect(await succeed('alice', 'updateContent', { path: '/news/hello-world', data })).toBe('');
    expect(await succeed('rita', 'getContent', { path: '/news/hello-world' })).toMatchObject({
      title: 'Hello',
      blocks,
    });

    expect(await succeed('alice', 'deleteContent', { path: '/news/hello-world' })).toBe('');
    expect(await clients.call('alice', 'getContent', { path: '/news/hello-world' })).toEqual({
      error: {
        status: 404,
        data: {
          type: 'NotFound',
          message: `Resource not found: ${url('/news/hello-world')}`,
          context: url('/news'),
        },
      },
    });
  });

  it('comes with the components that the client expands', async () => {
    const path = await addPage();
    const expand = ['breadcrumbs', 'navigation', 'actions', 'types'];
    const { '@components': components } = await succeed('alice', 'getContent', { path, expand });
    expect(sent[0]!.target).toMatch(/expand(:|%3A)list=breadcrumbs&expand(:|%3A)list=navigation/);
    expect(components.breadcrumbs.items.map(({ title }: { title: string }) => title)).toEqual([
      'News',
      `Page ${count}`,
    ]);
    expect(components.navigation.items).toHaveLength(2);
    expect(components.actions.object.map(({ id }: { id: string }) => id)).toContain('edit');
    expect(components.types.map(({ id }: { id: string }) => id)).toEqual(['Document', 'Folder']);
    expect(components.navroot).toEqual({ '@id': url(`${path}/@navroot`) });
  });

  it('of a folder comes in full', async () => {
    await addPage();
    const { items } = await succeed('rita', 'getContent', { path: '/news', fullObjects: true });
    expect(items.at(-1)).toMatchObject({ '@id': url(`/news/page-${count}`), lock: { locked: false, stealable: true } });
  });

  it('is copied and moved', async () => {
    const path = await addPage();
    expect(await succeed('alice', 'copy', { path: '/', data: { source: path } })).toEqual([
      { source: url(path), target: url(path.replace('/news', '')) },
    ]);
    const moved = await succeed('alice', 'move', { path: '/', data: { source: [url(path)] } });
    expect(moved).toEqual([{ source: url(path), target: expect.stringMatching(/\/[^/]+$/) }]);
    for (const target of [path.replace('/news', ''), new URL(moved[0].target).pathname]) {
      await succeed('alice', 'deleteContent', { path: target });
    }
  });

  it.each([
    ['createContent', { path: '/', data: { '@type': 'Document', title: 'By a reader' } }],
    ['updateContent', { path: '/news', data: { title: 'By a reader' } }],
    ['deleteContent', { path: '/news' }],
  ])('%s is refused to readers and to nobody', async (call, args) => {
    expect((await clients.call('rita', call, args)).error).toMatchObject({
      status: 403,
      data: { type: 'Forbidden' },
    });
    expect((await clients.call('nobody', call, args)).error).toMatchObject({
      status: 401,
      data: { type: 'Unauthorized' },
    });
  });

  it.each([
    ['createContent', { path: '/', data: { '@type': 'Document' } }, ['data.title']],
    ['createLock', { path: '/news', data: { timeout: 'x' } }, ['data.timeout']],
    ['createLock', { path: '/news' }, ['data']],
    ['updateLock', { path: '/news' }, ['locktoken']],
  ])('the client itself refuses %s %j', async (call, args, issues) => {
    const { error } = await clients.call('alice', call, args);
    expect(error).toMatchObject({ name: 'ZodError', issues });
    expect(sent).toEqual([]);
  });
});

describe('what an editor shows beside the content', () => {
  it('breadcrumbs', async () => {
    expect(await succeed('rita', 'getBreadcrumbs', { path: '/news' })).toEqual({
      '@id': url('/news/@breadcrumbs'),
      root: url(''),
      items: [{ '@id': url('/news'), title: 'News' }],
    });
    // The client doubles the slash of the root.
    expect((await succeed('rita', 'getBreadcrumbs', { path: '/' })).items).toEqual([]);
    expect(targets()).toEqual(['GET /++api++/news/@breadcrumbs', 'GET /++api++//@breadcrumbs']);
  });

  it('navigation, as deep as is asked for', async () => {
    await addPage();
    const flat = await succeed('rita', 'getNavigation', { path: '/news' });
    expect(flat.items.map(({ title }: { title: string }) => title)).toEqual(['Home', 'News']);
    expect(flat.items[1].items).toEqual([]);
    const deep = await succeed('rita', 'getNavigation', { path: '/news', depth: 2 });
    expect(deep.items[1].items.at(-1)).toMatchObject({ '@id': url(`/news/page-${count}`) });
    expect(targets()[1]).toBe('GET /++api++/news/@navigation?expand.navigation.depth=2');
  });

  it.each([
    ['alice', true],
    ['rita', false],
    ['nobody', false],
  ])('actions: whether %s may edit is %s', async (session, mayEdit) => {
    const { object } = await succeed(session, 'getActions', { path: '/news' });
    expect(object.some(({ id }: { id: string }) => id === 'edit')).toBe(mayEdit);
  });

  it('types and their forms', async () => {
    const types = await succeed('alice', 'getTypes');
    expect(types.map(({ '@id': id, addable }: { '@id': string; addable: boolean }) => [id, addable])).toEqual([
      [url('/@types/Document'), true],
      [url('/@types/Folder'), true],
    ]);
    expect(await succeed('alice', 'getType', { contentPath: 'Document' })).toMatchObject({
      title: 'Page',
      required: ['title'],
      properties: { title: { type: 'string' }, blocks: { type: 'dict' } },
    });
  });

  it('the site and its root', async () => {
    expect(await succeed('nobody', 'getSite')).toMatchObject({ '@id': url('/@site'), 'plone.site_title': 'Site' });
    expect(await succeed('nobody', 'getNavroot', { path: '/news' })).toMatchObject({
      navroot: { '@id': url(''), '@type': 'Plone Site' },
    });
    expect(targets()).toEqual(['GET /++api++/@site', 'GET /++api++//news/@navroot']);
  });

  it('users', async () => {
    expect(await succeed('mia', 'getUser', { userId: 'alice' })).toMatchObject({
      id: 'alice',
      username: 'alice',
      roles: ['Member', 'Editor'],
    });
    expect(Object.keys(await succeed('rita', 'getUser', { userId: 'alice' })).sort()).toEqual([
      '@id',
      'fullname',
      'id',
      'roles',
    ]);
  });
});

describe('locks', () => {
  const UNLOCKED = { locked: false, stealable: true };

  it('are taken, read and given back behind the double slash that the client makes', async () => {
    const path = await addPage();
    const taken = await succeed('alice', 'createLock', { path, data: {} });
    expect(taken).toEqual({
      locked: true,
      stealable: true,
      creator: 'alice',
      creator_name: 'alice',
      creator_url: url('/@users/alice'),
      created: expect.any(String),
      time: expect.any(Number),
      timeout: 600,
      token: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'plone.locking.stealable',
    });
    expect(await succeed('alice', 'getLock', { path })).toEqual(taken);
    expect(await succeed('alice', 'deleteLock', { path, data: {} })).toEqual(UNLOCKED);
    expect(await succeed('alice', 'getLock', { path })).toEqual(UNLOCKED);
    expect(targets()).toEqual(['POST', 'GET', 'DELETE', 'GET'].map((method) => `${method} /++api++/${path}/@lock`));
    expect(sent[0]!.target).toMatch(/^\/\+\+api\+\+\/\/news\//);
  });

  it('have the options that the client sends', async () => {
    const path = await addPage();
    const data = { stealable: false, timeout: 3600 };
    // Without a slash of its own the path has one only.
    expect(await succeed('alice', 'createLock', { path: path.slice(1), data })).toMatchObject(data);
    expect(targets()).toEqual([`POST /++api++${path}/@lock`]);
    expect((await clients.call('bob', 'deleteLock', { path, data: { force: true } })).error).toMatchObject({
      status: 403,
    });
    expect(await succeed('mia', 'deleteLock', { path, data: { force: true } })).toEqual(UNLOCKED);
  });

  it('are refreshed by the form-typed empty PATCH of the object that updateLock sends', async () => {
    const path = await addPage();
    const { token } = await succeed('alice', 'createLock', { path, data: { timeout: 60 } });
    await app.sql(
      `UPDATE content_lock SET created = created - interval '30 s', expires_at = expires_at - interval '30 s'`,
    );
    const before = await succeed('alice', 'getLock', { path });
    const [version] = await app.sql<{ version: string }>(
      `SELECT version FROM content_object WHERE id = 'page-${count}'`,
    );
    sent = [];
    expect(await succeed('alice', 'updateLock', { path, locktoken: token })).toBe('');
    expect(targets()).toEqual([`PATCH /++api++${path}`]);
    expect(sent[0]!.headers).toMatchObject({
      'lock-token': token,
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(sent[0]!.headers['content-length'] ?? '0').toBe('0');
    const after = await succeed('alice', 'getLock', { path });
    expect({ ...after, created: 0, time: 0 }).toEqual({ ...before, created: 0, time: 0 });
    expect(after.time - before.time).toBeGreaterThanOrEqual(29);
    // A refresh is no change of the object.
    expect(await app.sql(`SELECT version FROM content_object WHERE id = 'page-${count}'`)).toEqual([version]);
  });

  it('updateLock with another token is refused as locked', async () => {
    const path = await addPage();
    const { token } = await succeed('alice', 'createLock', { path, data: {} });
    const locktoken = '00000000-0000-4000-8000-000000000000';
    for (const [session, sentToken] of [
      ['alice', locktoken],
      ['bob', token],
    ]) {
      expect((await clients.call(session, 'updateLock', { path, locktoken: sentToken })).error).toEqual({
        status: 403,
        data: { error: { type: 'Forbidden', message: 'Resource is locked.' } },
      });
    }
  });

  it('of one user are shown to another, without the token, and hold against this one', async () => {
    const path = await addPage();
    const { token, ...shown } = await succeed('alice', 'createLock', { path, data: {} });
    expect(token).toEqual(expect.any(String));
    expect(await succeed('bob', 'createLock', { path, data: { timeout: 5 } })).toEqual(shown);
    expect(await succeed('bob', 'deleteLock', { path })).toEqual(shown);
    expect((await succeed('bob', 'getContent', { path })).lock).toEqual(shown);
    expect((await succeed('alice', 'getContent', { path })).lock).toEqual({ ...shown, token });
    // The client has no way to send the token with a change, so its holder is refused as well.
    for (const session of ['bob', 'alice']) {
      expect((await clients.call(session, 'updateContent', { path, data: { title: 'x' } })).error).toEqual({
        status: 403,
        data: { error: { type: 'Forbidden', message: 'Resource is locked.' } },
      });
    }
    expect((await clients.call('bob', 'deleteContent', { path })).error).toMatchObject({
      status: 423,
      data: { type: 'ResourceLockedError' },
    });
    expect(await succeed('bob', 'deleteLock', { path, data: { force: true } })).toEqual(UNLOCKED);
    expect(await succeed('bob', 'updateContent', { path, data: { title: 'By Bob' } })).toBe('');
  });
});
