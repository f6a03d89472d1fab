import { startApp } from '../support/start-app';

describe('/metrics', () => {
  it('answers callers on loopback in the text format of Prometheus', async () => {
    const app = await startApp();
    const answer = await app.azure.get('/metrics', { signed: false, apiVersion: null });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.text).toMatch(/^process_resident_memory_bytes \d+/m);
    expect(answer.text).toContain('# TYPE purged_rows_total counter');
    await app.close();
  });

  it('refuses everybody where a proxy in front makes every caller look like one on loopback', async () => {
    const app = await startApp({ TRUSTED_TLS_PROXY: 'true', DAPR_API_TOKEN: 'token', CMS_USERS: 'a:b:manager' });
    const answer = await app.azure.get('/metrics', { signed: false, apiVersion: null });
    expect([answer.status, answer.json.type]).toEqual([403, 'urn:latchkey:problem:forbidden']);
    await app.close();
  });
});
