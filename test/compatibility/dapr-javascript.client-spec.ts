import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as newest from '@dapr/dapr';
import { Settings } from '@dapr/dapr/utils/Settings.util';
import * as version3_6 from 'dapr-3.6';
import { Settings as Settings3_6 } from 'dapr-3.6/utils/Settings.util';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

type Sdk = typeof newest;
type Client = InstanceType<Sdk['DaprClient']>;
type Protocol = 'HTTP' | 'GRPC';

/** Official SDK releases as they are in use; the older one is typed like the newest. */
const GENERATIONS: { name: string; module: string; sdk: Sdk }[] = [
  { name: '3.6.1', module: 'dapr-3.6', sdk: version3_6 as unknown as Sdk },
  { name: '3.18.0', module: '@dapr/dapr', sdk: newest },
];
const PROTOCOLS: Protocol[] = ['HTTP', 'GRPC'];
const COMBINATIONS = GENERATIONS.flatMap((generation) => PROTOCOLS.map((protocol) => ({ ...generation, protocol })));

const STORE = 'lockstore';
const TOKEN = 'token-of-the-tests';
/** Statuses of unlock; the SDKs do not export their names. */
const RELEASED = 0;
const NOT_HELD = 1;
const HELD_BY_OTHER = 2;
/** Seconds; longer than any fact takes. */
const LONG = 60;
const CERTIFICATE = join(__dirname, '../support/tls/test-only.cert.pem');
const TLS = { TLS_CERT_FILE: CERTIFICATE, TLS_KEY_FILE: join(__dirname, '../support/tls/test-only.key.pem') };

/** What both protocols say of a refusal. */
interface Refusal {
  /** HTTP status, or gRPC's code. */
  readonly status: number;
  readonly message: string;
  /** HTTP only. */
  readonly errorCode?: string;
}

async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  let error: unknown;
  try {
    await call;
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof Error)) throw new Error('the call did not fail');
  const { code, rawMessage, details } = error as { code?: number; rawMessage?: string; details?: unknown };
  // 3.18.0 has gRPC's text in `rawMessage`, 3.6.1 in `details`.
  if (code !== undefined) return { status: code, message: rawMessage ?? String(details) };
  const { status, error_msg } = JSON.parse(error.message) as { status: number; error_msg: string };
  if (!error_msg.startsWith('{')) return { status, message: error_msg };
  const { errorCode, message } = JSON.parse(error_msg) as { errorCode: string; message: string };
  return { status, errorCode, message };
}

const quiet = (sdk: Sdk): { level: newest.LogLevel } => ({ level: sdk.LogLevel.Error });

describe.each([
  { asked: 'without DAPR_API_TOKEN', token: undefined },
  { asked: 'with DAPR_API_TOKEN', token: TOKEN },
])('$asked', ({ token }) => {
  let app: TestApp;
  beforeAll(async () => {
    // Each start with a wrong token fails 62 times.
    const limited: Record<string, string> =
      token === undefined ? {} : { DAPR_API_TOKEN: token, FAILED_LOGINS_PER_MINUTE: '1000000' };
    app = await startApp({ GRPC_PORT: '0', ...limited });
  });
  afterAll(() => app.close());

  describe.each(COMBINATIONS)('@dapr/dapr $name over $protocol', ({ name, sdk, protocol }) => {
    const isHttp = protocol === 'HTTP';
    const connect = (daprApiToken: string | undefined): Client =>
      new sdk.DaprClient({
        daprHost: '127.0.0.1',
        daprPort: String(isHttp ? app.port : app.grpcPort),
        communicationProtocol: sdk.CommunicationProtocolEnum[protocol],
        daprApiToken,
        logger: quiet(sdk),
      });

    /** A refusal as the protocol in use has it. */
    const expectRefusal = async (call: Promise<unknown>, errorCode: string, message: string): Promise<void> =>
      expect(await refusalOf(call)).toEqual(isHttp ? { status: 400, errorCode, message } : { status: 3, message });

    let client: Client;
    beforeAll(async () => {
      client = connect(token);
      await client.start();
    });
    afterAll(() => client.stop());

    /** Each fact has resources of its own. */
    let resource = '';
    let factCount = 0;
    beforeEach(() => {
      resource = `${name}/${protocol}/${++factCount}`;
    });

    const lock = async (owner: string, seconds = LONG): Promise<boolean> =>
      (await client.lock.lock(STORE, resource, owner, seconds)).success;
    const unlock = async (owner: string): Promise<number> => (await client.lock.unlock(STORE, resource, owner)).status;

    it('starts and finds the service healthy', async () => {
      expect(await client.health.isHealthy()).toBe(true);
    });

    it('starts by itself at the first call', async () => {
      const lazy = connect(token);
      expect(await lazy.lock.lock(STORE, resource, 'a', LONG)).toEqual({ success: true });
      await lazy.stop();
    });

    it('reads the metadata, with the lock store among the components', async () => {
      const { components } = await client.metadata.get();
      const store = components.find((component) => component.name === STORE);
      expect(store).toMatchObject({ name: STORE, type: 'lock.postgres', version: 'v1' });
    });

    it('sets a metadata label that is read again', async () => {
      const key = `label-${name}-${protocol}`;
      expect(await client.metadata.set(key, 'größe 1')).toBe(true);
      expect((await client.metadata.get()).extended).toMatchObject({ [key]: 'größe 1' });
    });

    it('locks, and refuses the lock to anybody, its owner included', async () => {
      expect(await lock('a')).toBe(true);
      expect(await lock('b')).toBe(false);
      expect(await lock('a')).toBe(false);
      resource += '/another';
      expect(await lock('b')).toBe(true);
    });

    it('unlocks, and says when there is nothing or somebody else has it', async () => {
      expect(await unlock('a')).toBe(NOT_HELD);
      await lock('a');
      expect(await unlock('b')).toBe(HELD_BY_OTHER);
      expect(await unlock('a')).toBe(RELEASED);
      expect(await unlock('a')).toBe(NOT_HELD);
      expect(await lock('b')).toBe(true);
      expect(await unlock('a')).toBe(HELD_BY_OTHER);
    });

    it('hands over a lock that was only left to expire, which refused tries do not put off', async () => {
      expect(await lock('a', LONG / 2)).toBe(true);
      expect(await lock('a', LONG)).toBe(false);
      await app.sql(
        `UPDATE lease SET expires_at = expires_at - $2 * interval '1 s'
          WHERE stored_key = convert_to('lock||latchkey||' || $1, 'UTF8')`,
        [resource, LONG / 2],
      );
      await waitFor(() => lock('b'));
      expect(await unlock('a')).toBe(HELD_BY_OTHER);
    });

    it('keeps every character of resources and owners', async () => {
      resource += ' größe/日本語/😀 | "q" \\ %2F+?&#';
      expect(await lock(' Ä ')).toBe(true);
      expect(await unlock('Ä')).toBe(HELD_BY_OTHER);
      expect(await unlock(' Ä ')).toBe(RELEASED);
    });

    it('hears that the store is unknown', async () => {
      const message = 'lock store absent not found';
      await expectRefusal(client.lock.lock('absent', resource, 'a', LONG), 'ERR_LOCK_STORE_NOT_FOUND', message);
      await expectRefusal(client.lock.unlock('absent', resource, 'a'), 'ERR_LOCK_STORE_NOT_FOUND', message);
    });

    it('hears that the resource or the owner is empty', async () => {
      const empty = (field: string): string => `${field} is empty in lock store ${STORE}`;
      const refused = (call: Promise<unknown>, field: string): Promise<void> =>
        expectRefusal(call, 'ERR_MALFORMED_REQUEST', empty(field));
      await refused(client.lock.lock(STORE, '', 'a', LONG), 'ResourceId');
      await refused(client.lock.lock(STORE, resource, '', LONG), 'LockOwner');
      await refused(client.lock.unlock(STORE, '', 'a'), 'ResourceId');
      await refused(client.lock.unlock(STORE, resource, ''), 'LockOwner');
    });

    it.each([0, -5, -2147483648])('hears that an expiry of %d is not positive', async (seconds) => {
      const message = `ExpiryInSeconds is not positive in lock store ${STORE}`;
      await expectRefusal(client.lock.lock(STORE, resource, 'a', seconds), 'ERR_MALFORMED_REQUEST', message);
    });

    it('fails with a fractional expiry, and goes on working', async () => {
      const { status, errorCode, message } = await refusalOf(client.lock.lock(STORE, resource, 'a', 1.5));
      if (isHttp) {
        expect([status, errorCode]).toEqual([400, 'ERR_MALFORMED_REQUEST']);
        expect(message).toMatch(/^failed deserializing HTTP body: proto:/);
        expect(message).toMatch(/invalid value for int32 field expiryInSeconds: 1\.5$/);
      } else {
        // The client's own doing: no message reaches the service.
        expect(status).toBe(13);
      }
      expect(await lock('a')).toBe(true);
    });

    it('hears that a resource holds two pipes in a row', async () => {
      const cause = "input key/keyPrefix 'a||b' can't contain '||'";
      const message = `failed to try acquiring lock: ${cause}`;
      expect(await refusalOf(client.lock.lock(STORE, 'a||b', 'a', LONG))).toEqual(
        isHttp ? { status: 500, errorCode: 'ERR_TRY_LOCK', message } : { status: 13, message },
      );
    });

    // Where no token is asked for, any is let through.
    it.each([
      { given: 'a wrong token', wrong: 'another-token' },
      { given: 'no token', wrong: '' },
    ])('is treated by its token: $given', async ({ wrong }) => {
      const settings = [Settings, Settings3_6].map((each) => jest.spyOn(each, 'getDaprSidecarPollingDelayMs'));
      // It looks 62 times, usually half a second apart.
      settings.forEach((spy) => spy.mockReturnValue(1));
      const stranger = connect(wrong);
      try {
        if (token === undefined) {
          await stranger.start();
          expect(await stranger.lock.lock(STORE, resource, 'a', LONG)).toEqual({ success: true });
          return;
        }
        await expect(stranger.start()).rejects.toThrow('DAPR_SIDECAR_COULD_NOT_BE_STARTED');
        // What a call would hear if its client did not insist on a start.
        stranger.daprClient.setIsInitialized(true);
        expect(await refusalOf(stranger.lock.lock(STORE, resource, 'a', LONG))).toEqual(
          isHttp ? { status: 401, message: 'invalid api token\n' } : { status: 16, message: 'Unauthorized' },
        );
        expect(await lock('b')).toBe(true);
      } finally {
        await stranger.stop();
        settings.forEach((spy) => spy.mockRestore());
      }
    });
  });
});

it('a client whose wrong token is refused again and again does not shut out one with the right token', async () => {
  const app = await startApp({ DAPR_API_TOKEN: TOKEN });
  const polling = jest.spyOn(Settings, 'getDaprSidecarPollingDelayMs').mockReturnValue(1);
  const connect = (daprApiToken: string): Client =>
    new newest.DaprClient({ daprHost: '127.0.0.1', daprPort: String(app.port), daprApiToken, logger: quiet(newest) });
  const [wrong, right] = [connect('another-token'), connect(TOKEN)];
  try {
    await expect(wrong.start()).rejects.toThrow('DAPR_SIDECAR_COULD_NOT_BE_STARTED');
    expect(polling).toHaveBeenCalledTimes(61);
    wrong.daprClient.setIsInitialized(true);
    expect((await refusalOf(wrong.lock.lock(STORE, 'a', 'a', LONG))).status).toBe(429);
    expect(await right.lock.lock(STORE, 'a', 'a', LONG)).toEqual({ success: true });
  } finally {
    polling.mockRestore();
    await Promise.all([wrong.stop(), right.stop()]);
    await app.close();
  }
});

describe('over TLS, by the environment alone', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ ...TLS, GRPC_PORT: '0', DAPR_API_TOKEN: TOKEN });
  });
  afterAll(() => app.close());

  it.each(COMBINATIONS)('@dapr/dapr $name over $protocol locks, unlocks and ends', async ({ module, protocol }) => {
    const program = `
      const { CommunicationProtocolEnum, DaprClient, LogLevel } = require(${JSON.stringify(module)});
      const client = new DaprClient({
        communicationProtocol: CommunicationProtocolEnum.${protocol},
        logger: { level: LogLevel.Error },
      });
      (async () => {
        const resource = ${JSON.stringify(`${module}/${protocol}`)};
        const { success } = await client.lock.lock('${STORE}', resource, 'a', ${LONG});
        const { status } = await client.lock.unlock('${STORE}', resource, 'a');
        console.log(JSON.stringify({ success, status }));
        await client.stop();
      })();`;
    const child = spawn(process.execPath, ['-e', program], {
      cwd: __dirname,
      env: {
        ...process.env,
        DAPR_HTTP_ENDPOINT: `https://127.0.0.1:${app.port}`,
        DAPR_GRPC_ENDPOINT: `127.0.0.1:${app.grpcPort}?tls=true`,
        DAPR_API_TOKEN: TOKEN,
        NODE_EXTRA_CA_CERTS: CERTIFICATE,
        // 3.6.1 does not look at Node's own setting for gRPC.
        GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: CERTIFICATE,
        // About an IP address as the name of a TLS server.
        NODE_NO_WARNINGS: '1',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ending = setTimeout(() => child.kill('SIGKILL'), 20_000);
    const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    clearTimeout(ending);
    expect([printed, code]).toEqual(['{"success":true,"status":0}\n', 0]);
  });
});
