import { Agent, request } from 'node:http';
import { type AzureAnswer } from '../support/azure-http';
import { expectEmpty, expectInvalidArgument } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';

const MAX_ITEM_BYTES = 10_240;
const MAX_NAME_BYTES = 2_000;
const MAX_BODY_BYTES = 64 * 1024;
const MAX_TARGET_LENGTH = 16_384;

describe('sizes', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  describe('key and label', () => {
    it.each([
      ['key', 'k'.repeat(MAX_NAME_BYTES), ''],
      ['label', 'k', 'l'.repeat(MAX_NAME_BYTES - 1)],
      ['both', 'k'.repeat(1200), 'l'.repeat(800)],
      ['key of two bytes each', 'ä'.repeat(MAX_NAME_BYTES / 2), ''],
      ['key of four bytes each', '🔑'.repeat(MAX_NAME_BYTES / 4), ''],
    ])('may have 2,000 bytes together: %s', async (_, key, label) => {
      const target = `/kv/${encodeURIComponent(key)}?label=${encodeURIComponent(label)}`;
      const put = await app.azure.put(target, {});
      expect(put.status).toBe(200);
      expect((await app.azure.get(target)).text).toBe(put.text);
      expect((await app.azure.delete(target)).status).toBe(200);
    });

    it.each([
      ['key', 'k'.repeat(MAX_NAME_BYTES + 1), ''],
      ['label', 'k', 'l'.repeat(MAX_NAME_BYTES)],
      ['both', 'k'.repeat(1200), 'l'.repeat(801)],
      ['key of two bytes each', 'ä'.repeat(MAX_NAME_BYTES / 2), 'l'],
      ['key of four bytes each', '🔑'.repeat(MAX_NAME_BYTES / 4), 'l'],
    ])('may not have one byte more: %s', async (_, key, label) => {
      const target = `/kv/${encodeURIComponent(key)}?label=${encodeURIComponent(label)}`;
      expectInvalidArgument(await app.azure.put(target, {}), 'key');
      expectInvalidArgument(await app.azure.get(target), 'key');
      expectInvalidArgument(await app.azure.delete(target), 'key');
    });
  });

  describe('item', () => {
    /** Members with as many bytes of UTF-8 as asked, spread over everything that counts. */
    const itemOf = (bytes: number): object => {
      const tags = { ä: 'tt', n: null };
      const type = 'text/plain';
      const used = Buffer.byteLength('key') + Buffer.byteLength('lä') + type.length + Buffer.byteLength('ättn');
      return { value: 'v'.repeat(bytes - used), content_type: type, tags };
    };

    it('may have 10,240 bytes, everything counted', async () => {
      const answer = await app.azure.put('/kv/key?label=l%C3%A4', itemOf(MAX_ITEM_BYTES));
      expect(answer.status).toBe(200);
      expect((await app.azure.get('/kv/key?label=l%C3%A4')).text).toBe(answer.text);
    });

    it('may not have one byte more, which is an empty 413', async () => {
      expectEmpty(await app.azure.put('/kv/key?label=l%C3%A5', itemOf(MAX_ITEM_BYTES + 1)), 413);
      expectEmpty(await app.azure.get('/kv/key?label=l%C3%A5'), 404);
    });

    it('counts the description where the version knows it', async () => {
      const body = { value: 'v'.repeat(MAX_ITEM_BYTES - 10), description: 'd'.repeat(10) };
      expectEmpty(await app.azure.withVersion('2026-04-01').put('/kv/d', body), 413);
      expect((await app.azure.put('/kv/d', body)).status).toBe(200);
    });

    it.each([
      ['quotes', '"'.repeat(MAX_ITEM_BYTES - 1), (text: string) => JSON.stringify(text)],
      ['escapes of one byte', 'v'.repeat(MAX_ITEM_BYTES - 1), (text: string) => `"${'\\u0076'.repeat(text.length)}"`],
      ['characters of three bytes', '€'.repeat(3413), (text: string) => `"${'\\u20ac'.repeat(text.length)}"`],
    ])('is counted decoded: %s', async (_, value, encode) => {
      const body = `{"value":${encode(value)}}`;
      expect(body.length).toBeGreaterThan(MAX_ITEM_BYTES);
      const answer = await app.azure.put('/kv/e', body);
      expect(answer.status).toBe(200);
      expect(answer.json.value).toBe(value);
    });

    it('has its limit changed by MAX_ITEM_BYTES, and its names by MAX_NAME_BYTES', async () => {
      const other = await startApp({ MAX_ITEM_BYTES: '100', MAX_NAME_BYTES: '10' });
      try {
        expect((await other.azure.put('/kv/k', { value: 'v'.repeat(99) })).status).toBe(200);
        expectEmpty(await other.azure.put('/kv/k', { value: 'v'.repeat(100) }), 413);
        expect((await other.azure.put('/kv/12345?label=12345', {})).status).toBe(200);
        expectInvalidArgument(await other.azure.put('/kv/12345?label=123456', {}), 'key');
      } finally {
        await other.close();
      }
    });
  });

  describe('body', () => {
    /** A small item in a body of exactly this many bytes. */
    const bodyOf = (bytes: number): Buffer => Buffer.from('{"value":"v"}'.padEnd(bytes, ' '));

    it('is read up to 64 KB', async () => {
      expect((await app.azure.put('/kv/body', bodyOf(MAX_BODY_BYTES))).status).toBe(200);
      expect(await sendChunked('/kv/body', bodyOf(MAX_BODY_BYTES))).toMatchObject({ status: 200 });
    });

    it('is refused past them when its length is declared', async () => {
      const answer = await app.azure.put('/kv/body', bodyOf(MAX_BODY_BYTES + 1));
      expectEmpty(answer, 413);
      expect(answer.headers['x-ms-request-id']).toBeDefined();
    });

    it('is refused past them when it is sent in chunks', async () => {
      expect(await sendChunked('/kv/body', bodyOf(MAX_BODY_BYTES + 1))).toMatchObject({ status: 413, text: '' });
    });

    it('may come in chunks with a signature over the whole', async () => {
      const answer = await sendChunked('/kv/body', Buffer.from('{"value":"chunked"}'));
      expect(answer).toMatchObject({ status: 200, json: { value: 'chunked' } });
    });

    /** Two chunks, without a declared length. */
    function sendChunked(path: string, body: Buffer): Promise<Pick<AzureAnswer, 'status' | 'text' | 'json'>> {
      const target = `${path}?api-version=2023-11-01`;
      const host = `127.0.0.1:${app.port}`;
      const headers = {
        host,
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
        ...app.azure.sign('PUT', target, body, host),
      };
      return new Promise((resolve, reject) => {
        const agent = new Agent();
        const outgoing = request(
          { method: 'PUT', host: '127.0.0.1', port: app.port, path: target, headers, agent },
          (incoming) => {
            let text = '';
            incoming.setEncoding('utf8');
            incoming.on('data', (chunk: string) => (text += chunk));
            incoming.on('end', () => {
              agent.destroy();
              resolve({ status: incoming.statusCode!, text, json: text === '' ? undefined : JSON.parse(text) });
            });
          },
        );
        outgoing.on('error', reject);
        outgoing.write(body.subarray(0, 10));
        outgoing.end(body.subarray(10));
      });
    }
  });

  describe('request line', () => {
    const targetOf = (length: number): string => {
      const target = '/kv?api-version=2023-11-01&key=';
      return target + 'k'.repeat(length - target.length);
    };

    it('may have a target of 16,384 characters', async () => {
      expect((await app.azure.get(targetOf(MAX_TARGET_LENGTH))).status).toBe(200);
    });

    it('is refused past them with an empty 414', async () => {
      const answer = await app.azure.get(targetOf(MAX_TARGET_LENGTH + 1));
      expectEmpty(answer, 414);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
    });
  });
});
