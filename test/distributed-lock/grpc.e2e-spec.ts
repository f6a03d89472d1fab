import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientHttp2Stream, constants } from 'node:http2';
import { join } from 'node:path';
import { credentials, type Metadata } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { answerOf, framed, GrpcClient, RawGrpc, type RawGrpcAnswer } from '../support/grpc-client';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

const OK = 0;
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const UNAUTHENTICATED = 16;

let count = 0;
/** A resource that no other test uses. */
const resource = (): string => `resource-${++count}`;

const text = (field: number, value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(field << 3) | 2, bytes.length]), bytes]);
};
/** Field 4 of a lock request; its varint as given. */
const expiry = (...varint: number[]): Buffer => Buffer.from([4 << 3, ...varint]);
/** By field number, as section 4 of the contract has them. */
const lockMessage = (resourceId: string | Buffer, owner: string | Buffer, expiryField = expiry(60)): Buffer =>
  Buffer.concat([text(1, 'lockstore'), text(2, resourceId), text(3, owner), expiryField]);
const unlockMessage = (resourceId: string, owner: string): Buffer =>
  Buffer.concat([text(1, 'lockstore'), text(2, resourceId), text(3, owner)]);
const codeOf = ({ trailers }: RawGrpcAnswer): number => Number(trailers['grpc-status']);

describe('Dapr over gRPC', () => {
  let app: TestApp;
  let client: GrpcClient;
  let raw: RawGrpc;
  beforeAll(async () => {
    app = await startApp({ GRPC_PORT: '0', APP_ID: 'tests' });
    client = new GrpcClient(app.grpcPort);
    raw = RawGrpc.open(app.grpcPort);
  });
  afterAll(async () => {
    client.close();
    raw.close();
    await app.close();
  });

  const lock = (resourceId: string, owner: string, seconds: number): Promise<unknown> =>
    client.tryLock(resourceId, owner, seconds).then(({ answer }) => answer?.['success']);
  const unlock = (resourceId: string, owner: string): Promise<unknown> =>
    client.unlock(resourceId, owner).then(({ answer }) => answer?.['status']);

  it('passes the sequence of Dapr’s conformance suite', async () => {
    const [key1, key2] = [resource(), resource()];
    expect(await lock(key1, 'conftest', 15)).toBe(true);
    expect(await lock(key2, 'conftest', 4)).toBe(true);
    expect(await lock(key1, 'conftest', 15)).toBe(false);
    expect(await unlock('nonexistent', 'conftest')).toBe(1);
    expect(await unlock(key1, 'nonowner')).toBe(2);
    expect(await unlock(key1, 'conftest')).toBe(0);
    await waitFor(async () => (await lock(key2, 'conftest', 15)) === true);
  });

  it('locks, refuses and unlocks in turn for two owners', async () => {
    const name = resource();
    expect(await lock(name, 'one', 60)).toBe(true);
    expect(await lock(name, 'two', 60)).toBe(false);
    expect(await unlock(name, 'one')).toBe(0);
    expect(await lock(name, 'two', 60)).toBe(true);
    expect(await unlock(name, 'one')).toBe(2);
    expect(await unlock(name, 'two')).toBe(0);
    expect(await unlock(name, 'two')).toBe(1);
  });

  it('works on the locks of the HTTP surface', async () => {
    const name = resource();
    const post = async (verb: string, body: object): Promise<unknown> => {
      const url = `http://127.0.0.1:${app.port}/v1.0-alpha1/${verb}/lockstore`;
      return (await fetch(url, { method: 'POST', body: JSON.stringify(body) })).json();
    };
    expect(await post('lock', { resourceId: name, lockOwner: 'http', expiryInSeconds: 60 })).toEqual({ success: true });
    expect(await lock(name, 'grpc', 60)).toBe(false);
    expect(await unlock(name, 'grpc')).toBe(2);
    expect(await unlock(name, 'http')).toBe(0);
    expect(await lock(name, 'grpc', 60)).toBe(true);
    expect(await post('unlock', { resourceId: name, lockOwner: 'http' })).toEqual({ status: 2 });
  });

  it('names the request and Dapr as the author in the lock’s row', async () => {
    const name = resource();
    await lock(name, 'me', 60);
    const [row] = await app.sql<Record<string, string>>(`SELECT * FROM lease WHERE stored_key LIKE $1`, [`%${name}`]);
    expect(Object.values(row!)).toContain('dapr');
    expect(Object.values(row!)).toContainEqual(expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/));
  });

  describe('messages on the wire', () => {
    it('have the field numbers of Dapr', async () => {
      const name = resource();
      expect((await raw.call('TryLockAlpha1', lockMessage(name, 'me'))).body).toEqual(framed(Buffer.from([8, 1])));
      expect((await raw.call('TryLockAlpha1', lockMessage(name, 'me'))).body).toEqual(framed(Buffer.alloc(0)));
      expect((await raw.call('UnlockAlpha1', unlockMessage(name, 'other'))).body).toEqual(framed(Buffer.from([8, 2])));
      expect((await raw.call('UnlockAlpha1', unlockMessage(name, 'me'))).body).toEqual(framed(Buffer.alloc(0)));
      expect((await raw.call('UnlockAlpha1', unlockMessage(name, 'me'))).body).toEqual(framed(Buffer.from([8, 1])));
    });

    it.each(['application/grpc', 'application/grpc+proto'])('are taken as %s', async (type) => {
      const answer = await raw.call('TryLockAlpha1', lockMessage(resource(), 'me'), {
        'content-type': type,
        'grpc-accept-encoding': 'gzip,br',
      });
      expect(codeOf(answer)).toBe(OK);
      expect(answer.headers['content-type']).toMatch(/^application\/grpc/);
      expect(answer.body).toEqual(framed(Buffer.from([8, 1])));
    });

    it('of another content type are refused', async () => {
      const answer = await raw.call('TryLockAlpha1', lockMessage(resource(), 'me'), { 'content-type': 'text/plain' });
      expect(answer.headers[':status']).toBe(415);
    });

    it('may hold fields that nobody knows', async () => {
      const message = Buffer.concat([text(15, 'x'), lockMessage(resource(), 'me'), text(9, Buffer.from([0xff]))]);
      expect(codeOf(await raw.call('TryLockAlpha1', message))).toBe(OK);
    });

    it.each([
      ['a text that is not UTF-8', lockMessage('r', Buffer.from([0x61, 0xff]))],
      ['an encoded surrogate', lockMessage('r', Buffer.from([0xed, 0xa0, 0x80]))],
      ['a cut off field', lockMessage('r', 'o').subarray(0, -1)],
      ['random bytes', Buffer.from([0xff, 0xff, 0xff])],
    ])('are refused with %s', async (_name, message) => {
      const answer = await raw.call('TryLockAlpha1', message);
      expect(codeOf(answer)).toBe(INTERNAL);
    });

    it('may hold U+FFFD itself, U+0000 and blanks, and owners are compared byte by byte', async () => {
      const name = `${resource()} \u0000\ufffd`;
      expect(await lock(name, ' \ufffd', 60)).toBe(true);
      expect(await unlock(name, '\ufffd')).toBe(2);
      expect(await unlock(name, ' \ufffd')).toBe(0);
      expect(await lock(name, 'é', 60)).toBe(true);
      expect(await unlock(name, 'e\u0301')).toBe(2);
    });
  });

  describe('a call that asks for what cannot be', () => {
    const valid = { storeName: 'lockstore', resourceId: 'r', lockOwner: 'o', expiryInSeconds: 60 };
    it.each([
      [{ expiryInSeconds: 0 }, INVALID_ARGUMENT, 'ExpiryInSeconds is not positive in lock store lockstore'],
      [{ expiryInSeconds: -5 }, INVALID_ARGUMENT, 'ExpiryInSeconds is not positive in lock store lockstore'],
      [{ expiryInSeconds: 0, storeName: 'x' }, INVALID_ARGUMENT, 'ExpiryInSeconds is not positive in lock store x'],
      [{ resourceId: '', lockOwner: '' }, INVALID_ARGUMENT, 'ResourceId is empty in lock store lockstore'],
      [{ resourceId: '', storeName: 'x' }, INVALID_ARGUMENT, 'ResourceId is empty in lock store x'],
      [{ lockOwner: '' }, INVALID_ARGUMENT, 'LockOwner is empty in lock store lockstore'],
      [{ lockOwner: '', storeName: 'x' }, INVALID_ARGUMENT, 'LockOwner is empty in lock store x'],
      [{ storeName: 'x', resourceId: 'a||b' }, INVALID_ARGUMENT, 'lock store x not found'],
      [{ storeName: '' }, INVALID_ARGUMENT, 'lock store  not found'],
      [{ resourceId: 'a||b' }, INTERNAL, `failed to try acquiring lock: input key/keyPrefix 'a||b' can't contain '||'`],
    ])('TryLockAlpha1 with %j', async (change, code, message) => {
      expect(await client.call('TryLockAlpha1', { ...valid, ...change })).toMatchObject({ code, message });
    });

    it.each([
      [{ resourceId: '', lockOwner: '' }, INVALID_ARGUMENT, 'ResourceId is empty in lock store lockstore'],
      [{ lockOwner: '', storeName: 'é' }, INVALID_ARGUMENT, 'LockOwner is empty in lock store é'],
      [{ storeName: 'x', resourceId: 'a||b' }, INVALID_ARGUMENT, 'lock store x not found'],
      [{ resourceId: 'a||b' }, INTERNAL, `failed to release lock: input key/keyPrefix 'a||b' can't contain '||'`],
    ])('UnlockAlpha1 with %j', async (change, code, message) => {
      expect(await client.call('UnlockAlpha1', { ...valid, ...change })).toMatchObject({ code, message });
    });

    it('has a bare message, without details', async () => {
      const { metadata } = await client.tryLock('r', 'o', 0);
      expect(Object.keys(metadata!.getMap())).not.toContain('grpc-status-details-bin');
    });

    it('is refused with an expiry of -5 as ten bytes', async () => {
      const minusFive = expiry(0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
      const answer = await raw.call('TryLockAlpha1', lockMessage('r', 'o', minusFive));
      expect(codeOf(answer)).toBe(INVALID_ARGUMENT);
      expect(decodeURI(answer.trailers['grpc-message'] as string)).toBe(
        'ExpiryInSeconds is not positive in lock store lockstore',
      );
    });

    it('takes the longest expiry there is', async () => {
      expect(await lock(resource(), 'o', 2_147_483_647)).toBe(true);
    });

    it('is refused with a whole message behind an id of a megabyte', async () => {
      const { code, message } = await client.tryLock(`||${'😀'.repeat(500_000)}`, 'o');
      expect(code).toBe(INTERNAL);
      expect(message).toMatch(/^failed to try acquiring lock: .*…$/);
      expect(message.length).toBeLessThan(1_100);
    });

    it('is RESOURCE_EXHAUSTED above 4 MiB, and others go on', async () => {
      expect((await client.tryLock('x'.repeat(4 * 1024 * 1024), 'o')).code).toBe(RESOURCE_EXHAUSTED);
      expect(await lock(resource(), 'o', 60)).toBe(true);
    });
  });

  describe('a method that is not served', () => {
    it.each([
      '/dapr.proto.runtime.v1.Dapr/InvokeService',
      '/dapr.proto.runtime.v1.Dapr/trylockalpha1',
      '/grpc.health.v1.Health/Check',
      '/',
      '/dapr.proto.runtime.v1.Dapr/constructor',
    ])('%s is UNIMPLEMENTED', async (path) => {
      expect((await client.callUnknown(path)).code).toBe(UNIMPLEMENTED);
    });

    it('may have a name that is no URL', async () => {
      expect(codeOf(await raw.call('/%/%zz"<>', Buffer.alloc(0)))).toBe(UNIMPLEMENTED);
    });
  });

  describe('metadata', () => {
    it('names the service, its version and its lock stores', async () => {
      const { code, answer } = await client.call('GetMetadata', {});
      expect(code).toBe(OK);
      expect(answer).toMatchObject({
        id: 'tests',
        runtimeVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
        registeredComponents: [{ name: 'lockstore', type: 'lock.postgres', version: 'v1', capabilities: [] }],
        extendedMetadata: { daprRuntimeVersion: expect.stringMatching(/^\d+\./) },
        actorRuntime: { runtimeStatus: 1, hostReady: false },
      });
    });

    it('keeps labels, which HTTP shows too', async () => {
      expect((await client.call('SetMetadata', { key: 'label', value: 'välue' })).code).toBe(OK);
      const { answer } = await client.call('GetMetadata', {});
      expect(answer!['extendedMetadata']).toMatchObject({ label: 'välue' });
      const overHttp = (await (await fetch(`http://127.0.0.1:${app.port}/v1.0/metadata`)).json()) as object;
      expect(overHttp).toMatchObject({ extended: { label: 'välue' } });
    });

    it('refuses a label without a name', async () => {
      expect((await client.call('SetMetadata', { key: '', value: 'v' })).code).toBe(INVALID_ARGUMENT);
    });
  });

  describe('trouble with the database', () => {
    beforeAll(() => app.sql('ALTER TABLE lease RENAME TO lease_away'));
    afterAll(() => app.sql('ALTER TABLE lease_away RENAME TO lease'));

    it('is INTERNAL, and the message says nothing of tables or statements', async () => {
      expect(await client.tryLock('r', 'o')).toMatchObject({
        code: INTERNAL,
        message: 'failed to try acquiring lock: the server met an unexpected condition',
      });
      expect(await client.unlock('r', 'o')).toMatchObject({
        code: INTERNAL,
        message: 'failed to release lock: the server met an unexpected condition',
      });
    });
  });

  describe('streams that are not finished', () => {
    const opened: RawGrpc[] = [];
    afterEach(() => opened.splice(0).forEach((each) => each.close()));
    const open = (): RawGrpc => {
      const connection = RawGrpc.open(app.grpcPort);
      opened.push(connection);
      return connection;
    };
    const openMany = async (connection: RawGrpc, number: number): Promise<ClientHttp2Stream[]> => {
      const streams = Array.from({ length: number }, () => connection.openStream('TryLockAlpha1'));
      // The server has seen them once it answers a ping that was sent behind them.
      await new Promise<void>((resolve) => connection.session.ping(() => resolve()));
      return streams;
    };

    it('by the thousand hold up neither other connections nor their own', async () => {
      const connection = open();
      await openMany(connection, 999);
      expect(await lock(resource(), 'o', 60)).toBe(true);
      expect(codeOf(await connection.call('TryLockAlpha1', lockMessage(resource(), 'o')))).toBe(OK);
    });

    it('may end in any way', async () => {
      const connection = open();
      const [reset, ended, half, cut] = await openMany(connection, 4);
      reset!.close(constants.NGHTTP2_CANCEL);
      const withoutMessage = answerOf(ended!);
      ended!.end();
      expect(codeOf(await withoutMessage)).toBe(UNIMPLEMENTED);
      // A message that ends before its length is reached.
      cut!.end(framed(lockMessage(resource(), 'o')).subarray(0, 9));
      half!.write(framed(lockMessage(resource(), 'o')).subarray(0, 3));
      connection.close();
      await once(connection.session, 'close');
      expect(await lock(resource(), 'o', 60)).toBe(true);
    });

    it('do not take a lock when they end before their message does', async () => {
      const connection = open();
      const name = resource();
      const [stream] = await openMany(connection, 1);
      stream!.write(framed(lockMessage(name, 'gone')));
      stream!.close(constants.NGHTTP2_CANCEL);
      await new Promise<void>((resolve) => connection.session.ping(() => resolve()));
      expect(await lock(name, 'o', 60)).toBe(true);
    });
  });
});

describe('with DAPR_API_TOKEN', () => {
  let app: TestApp;
  const clients: GrpcClient[] = [];
  const connect = (token?: string): GrpcClient => {
    const client = new GrpcClient(app.grpcPort, token);
    clients.push(client);
    return client;
  };
  beforeAll(async () => {
    app = await startApp({ GRPC_PORT: '0', DAPR_API_TOKEN: 'a,token', FAILED_LOGINS_PER_MINUTE: '1000' });
  });
  afterAll(async () => {
    clients.forEach((client) => client.close());
    await app.close();
  });

  it('lets calls with the token through', async () => {
    const client = connect('a,token');
    expect((await client.tryLock(resource(), 'o')).answer).toEqual({ success: true });
    expect((await client.call('GetMetadata', {})).code).toBe(OK);
    expect((await client.callUnknown('/no/method')).code).toBe(UNIMPLEMENTED);
  });

  const MISSING = 'missing api token in request metadata';
  const MISMATCH = 'authentication error: api token mismatch';
  it.each([
    ['no token', undefined, MISSING],
    ['another token', 'another', MISMATCH],
    ['a part of the token', 'a,toke', MISMATCH],
    ['the token in capitals', 'A,TOKEN', MISMATCH],
    ['an empty token', '', MISMATCH],
  ])('refuses %s for every method', async (_name, token, reason) => {
    const client = connect(token);
    for (const outcome of [
      await client.tryLock(resource(), 'o'),
      await client.tryLock('', '', 0),
      await client.unlock(resource(), 'o'),
      await client.call('GetMetadata', {}),
      await client.call('SetMetadata', { key: 'k', value: 'v' }),
      await client.callUnknown('/dapr.proto.runtime.v1.Dapr/InvokeService'),
    ]) {
      expect(outcome).toMatchObject({ code: UNAUTHENTICATED, message: 'Unauthorized' });
      expect(detailsOf(outcome.metadata!)).toEqual({
        code: UNAUTHENTICATED,
        message: 'Unauthorized',
        type: 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'Unauthorized',
        domain: 'dapr.io',
        metadata: { 'http.code': '401', 'http.error_message': reason },
      });
    }
  });

  it('counts wrong tokens as failed logins, and missing ones not', async () => {
    const env = { GRPC_PORT: '0', DAPR_API_TOKEN: 'a,token', FAILED_LOGINS_PER_MINUTE: '2' };
    const strict = await startApp(env, app);
    const [wrong, missing, right] = ['wrong', undefined, 'a,token'].map(
      (token) => new GrpcClient(strict.grpcPort, token),
    );
    try {
      const codes: number[] = [];
      for (const client of [missing, missing, missing, wrong, wrong, wrong, wrong, missing, right]) {
        codes.push((await client!.call('GetMetadata', {})).code);
      }
      const [no, many] = [UNAUTHENTICATED, RESOURCE_EXHAUSTED];
      expect(codes).toEqual([no, no, no, no, no, many, many, no, OK]);
      const http = { signed: false, apiVersion: null, headers: { 'dapr-api-token': 'wrong' } };
      expect((await strict.azure.get('/v1.0/metadata', http)).status).toBe(429);
    } finally {
      [wrong, missing, right].forEach((client) => client!.close());
      await strict.close();
    }
  });
});

/** Google's own description of what gRPC carries as details of a status. */
const RPC = fromJSON({
  nested: {
    rpc: {
      nested: {
        Any: { fields: { typeUrl: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
        Status: {
          fields: {
            code: { type: 'int32', id: 1 },
            message: { type: 'string', id: 2 },
            details: { rule: 'repeated', type: 'Any', id: 3 },
          },
        },
        ErrorInfo: {
          fields: {
            reason: { type: 'string', id: 1 },
            domain: { type: 'string', id: 2 },
            metadata: { keyType: 'string', type: 'string', id: 3 },
          },
        },
        Decode: { methods: { it: { requestType: 'Status', responseType: 'ErrorInfo' } } },
      },
    },
  },
} as Parameters<typeof fromJSON>[0])['rpc.Decode'] as unknown as {
  it: { requestDeserialize(bytes: Buffer): never; responseDeserialize(bytes: Buffer): object };
};

function detailsOf(metadata: Metadata): object {
  const [bytes] = metadata.get('grpc-status-details-bin') as [Buffer];
  const { code, message, details } = RPC.it.requestDeserialize(bytes) as {
    code: number;
    message: string;
    details: { typeUrl: string; value: Buffer }[];
  };
  expect(details).toHaveLength(1);
  return { code, message, type: details[0]!.typeUrl, ...RPC.it.responseDeserialize(details[0]!.value) };
}

describe('with TLS', () => {
  const TLS = join(__dirname, '../support/tls');
  const certificate = join(TLS, 'test-only.cert.pem');
  let app: TestApp;
  beforeAll(async () => {
    const files = { TLS_CERT_FILE: certificate, TLS_KEY_FILE: join(TLS, 'test-only.key.pem') };
    app = await startApp({ GRPC_PORT: '0', ...files });
  });
  afterAll(() => app.close());

  it('serves clients that trust the certificate, and survives those that do not speak TLS', async () => {
    const plain = RawGrpc.open(app.grpcPort);
    await expect(plain.call('TryLockAlpha1', lockMessage(resource(), 'o'))).rejects.toThrow();
    plain.close();
    const client = new GrpcClient(app.grpcPort, undefined, credentials.createSsl(readFileSync(certificate)));
    expect((await client.tryLock(resource(), 'o')).answer).toEqual({ success: true });
    client.close();
  });
});

describe('with GRPC_PORT=off', () => {
  it('serves HTTP alone', async () => {
    const app = await startApp();
    expect(app.grpcPort).toBe(0);
    expect((await fetch(`http://127.0.0.1:${app.port}/readyz`)).status).toBe(200);
    await app.close();
  });
});
