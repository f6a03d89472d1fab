import { type DatabaseAddress } from '../../src/database/connection';
import { ContentHttp } from '../content/content-http';
import { NativeHttp } from '../distributed-lock/native-http';
import { AzureHttp } from '../support/azure-http';
import { READ_ONLY_KEY, READ_WRITE_KEY, startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
import { basic, CMS_USERS, SECRETS, send } from './callers';
import { type Figures, WatchedService } from './watched-service';

/** Milliseconds of computing in one turn of the event loop. */
export const MAX_STALL_MS = 200;

/**
 * Planned refusals that Dapr words as a 500 (distributed-lock contract sections 2 and 6): the log has a line for each, and they are no
 * defects.
 */
const PLANNED_LINE = /"message":"(?:refused with ERR_(?:TRY_LOCK|UNLOCK)|dapr app-id does not match)"/;

/** The built service in a process of its own, with things in it that have to survive whatever is sent. */
export class AttackedService {
  private sentinels: unknown;

  private constructor(
    /** The same application in this process: it knows the routes and the database, and nothing bad is sent to it. */
    readonly app: TestApp,
    private readonly service: WatchedService,
  ) {}

  static async start(): Promise<AttackedService> {
    const env = {
      CMS_USERS,
      DAPR_API_TOKEN: SECRETS.lockToken,
      FAILED_LOGINS_PER_MINUTE: '1000000',
      ACCESS_KEYS: `${READ_WRITE_KEY.id}:${READ_WRITE_KEY.secret}:rw,${READ_ONLY_KEY.id}:${READ_ONLY_KEY.secret}:ro`,
    };
    const app = await startApp(env);
    const [row] = await app.sql<{ name: string }>('SELECT current_database() AS name');
    const server = JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress;
    const service = await WatchedService.start({ ...server, database: row!.name }, env);
    const attacked = new AttackedService(app, service);
    await attacked.makeSentinels();
    attacked.sentinels = await attacked.readSentinels();
    await service.figures();
    return attacked;
  }

  get port(): number {
    return this.service.port;
  }

  get grpcPort(): number {
    return this.service.grpcPort;
  }

  get isAlive(): boolean {
    return this.service.isAlive;
  }

  /** Since the last call. */
  figures(): Promise<Figures> {
    return this.service.figures();
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.app.close();
  }

  /** What the good values of bad requests name. Some requests remove it, so it is made anew now and then. */
  async makeTargets(): Promise<void> {
    const { azure, locks, content } = this;
    await azure.put('/kv/target', { value: 'v', tags: { env: 'prod' } });
    await azure.put('/kv/target?label=prod', { value: 'v' });
    await azure.put('/snapshots/target', { filters: [{ key: 'target' }] });
    await locks.put('target', { owner: 'holder', ttlMs: 3_600_000 });
    await content.post('/', { '@type': 'Document', id: 'target', title: 'Target' });
    await content.post('/', { '@type': 'Folder', id: 'folder', title: 'Folder' });
    await content.post('/folder', { '@type': 'Document', id: 'page', title: 'Page' });
  }

  /** Fails unless the service answers as before, has lost nothing, holds on to nothing, and met nothing that nobody planned. */
  async expectUnharmed(): Promise<void> {
    expect(this.isAlive).toBe(true);
    expect(await this.readSentinels()).toEqual(this.sentinels);
    expect(this.service.errors.filter((line) => !PLANNED_LINE.test(line))).toEqual([]);
    expect(await this.metrics('# TYPE database_errors_total')).toHaveLength(1);
    // "bad-input" is what the database refused although our own checks let it pass, "other" what nobody thought of.
    const defects = (await this.metrics('database_errors_total')).filter(([line]) =>
      /"(?:bad-input|other)"/.test(line),
    );
    expect(defects.filter(([, value]) => value > 0)).toEqual([]);
    const gauge = async (name: string): Promise<number> => (await this.metrics(name))[0]![1];
    // One is this very scrape's.
    await waitFor(async () => (await gauge('db_pool_connections{state="busy"}')) <= 1);
    await waitFor(async () => (await gauge('db_pool_waiting')) === 0);
    await waitFor(async () => (await gauge('lock_waiters')) === 0);
  }

  private get azure(): AzureHttp {
    return new AzureHttp(this.port, READ_WRITE_KEY);
  }

  private get locks(): NativeHttp {
    return new NativeHttp(this.port, 'lockstore', { 'dapr-api-token': SECRETS.lockToken });
  }

  private get content(): ContentHttp {
    return new ContentHttp(this.port, basic('mia', SECRETS.passwords.manager));
  }

  /** Nothing that is sent names any of it but to harm it. */
  private async makeSentinels(): Promise<void> {
    const { azure, locks, content } = this;
    await azure.put('/kv/sentinel?label=l', { value: 'kept', tags: { a: 'b' } });
    await azure.put('/locks/sentinel?label=l', '');
    await locks.grant('sentinel', 'sentinel-holder', { ttlMs: 86_400_000 });
    await content.add('/', { id: 'sentinel', title: 'Kept' });
    await content.post('/sentinel/@lock', { stealable: false, timeout: 86_400 });
  }

  private async readSentinels(): Promise<unknown> {
    const { azure, locks, content } = this;
    const key = await azure.get('/kv/sentinel?label=l');
    const lock = await locks.get('sentinel');
    const object = await content.get('/sentinel');
    const objectLock = await content.get('/sentinel/@lock');
    expect([key.status, lock.status, object.status, objectLock.status]).toEqual([200, 200, 200, 200]);
    expect(objectLock.json.locked).toBe(true);
    // Of its parent it has a summary, and that may be changed.
    return [key.text, lock.json, { ...object.json, parent: null }, objectLock.json];
  }

  /** Samples of `/metrics` whose name starts so. */
  private async metrics(name: string): Promise<(readonly [line: string, value: number])[]> {
    const headers = { authorization: basic('mia', SECRETS.passwords.manager) };
    const { text } = await send(this.port, { method: 'GET', target: '/metrics', headers });
    const lines = text.split('\n').filter((line) => line.startsWith(name));
    return lines.map((line) => [line, Number(line.slice(line.lastIndexOf(' ')))] as const);
  }
}
