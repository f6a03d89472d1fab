import { type Logger } from 'pino';
import { Database } from '../../src/database/database';
import { LOGGER } from '../../src/logging/logger';
import { startApp, type TestApp } from '../support/start-app';

let app: TestApp;
let crowded: jest.SpyInstance<boolean>;

beforeAll(async () => {
  app = await startApp();
  crowded = jest.spyOn(app.app.get(Database), 'isCrowded', 'get');
});
afterAll(() => app.close());
afterEach(() => crowded.mockReset());

describe('while more requests wait for the database than should', () => {
  it('a further one is refused before it is looked at, and says when to come back', async () => {
    crowded.mockReturnValue(true);
    const failures = jest.spyOn(app.app.get<Logger>(LOGGER), 'error');
    const startedAt = performance.now();
    // Neither signed nor readable: either would be told first if anything of it were looked at.
    const answer = await app.azure.put('/kv/k', { value: 1 }, { signed: false });
    expect(answer).toMatchObject({ status: 503, text: '' });
    expect(Number(answer.headers['retry-after-ms'])).toBeGreaterThanOrEqual(1);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    // Held, so that a caller that comes back at once does not do so at once.
    expect(performance.now() - startedAt).toBeGreaterThan(390);
    expect(failures).not.toHaveBeenCalled();
    expect(await app.sql('SELECT FROM key_value')).toEqual([]);
  });

  it.each(['/healthz', '/metrics'])('%s is served', async (path) => {
    crowded.mockReturnValue(true);
    expect((await app.azure.get(path, { signed: false, apiVersion: null })).status).toBe(200);
  });

  it('one that finds room in the meantime is served', async () => {
    crowded.mockReturnValueOnce(true).mockReturnValue(false);
    expect((await app.azure.put('/kv/k', { value: 'v' })).status).toBe(200);
    expect(crowded).toHaveBeenCalledTimes(2);
  });
});
