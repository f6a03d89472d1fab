import { banner, type BannerFacts } from './banner.js';

const facts: BannerFacts = {
  version: '0.1.0',
  host: '127.0.0.1',
  port: 8080,
  grpcPort: 'off',
  hasTls: false,
  dataDir: '/srv/app/.data',
  isTerminal: false,
};
const accessKey = { id: 'k3Yid_-8', secret: Buffer.alloc(32, 9).toString('base64'), readOnly: false };
const users = [
  { name: 'admin', password: 'cGFzc3dvcmQtb2YtYWRtaW4h', role: 'manager' as const },
  { name: 'editor', password: 'cGFzc3dvcmQtb2YtZWRpdG9y', role: 'editor' as const },
];
const credentialsFile = '/srv/app/.data/credentials.json';

describe('banner', () => {
  it('shows a first start', () => {
    expect(banner({ ...facts, grpcPort: 50_001, accessKey, users, credentialsFile })).toBe(
      [
        '',
        'Latchkey 0.1.0',
        '',
        '  Service         http://127.0.0.1:8080',
        '  Documentation   http://127.0.0.1:8080/docs',
        '  Dapr over gRPC  127.0.0.1:50001',
        '  Data            /srv/app/.data',
        '  Database        embedded PostgreSQL, in the data folder',
        '',
        'Connection string for Azure App Configuration clients (development key)',
        '  Endpoint=http://127.0.0.1:8080;Id=k3Yid_-8;Secret=CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=',
        '',
        'Development users',
        '  admin   cGFzc3dvcmQtb2YtYWRtaW4h  manager',
        '  editor  cGFzc3dvcmQtb2YtZWRpdG9y  editor',
        '',
        '  Also in /srv/app/.data/credentials.json',
        '',
        'listening on http://127.0.0.1:8080 grpc 127.0.0.1:50001',
        '',
      ].join('\n'),
    );
  });

  it('fits 100 columns', () => {
    const text = banner({ ...facts, port: 65_535, grpcPort: 50_001, accessKey, users, credentialsFile });
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  it.each<[Partial<BannerFacts>, string]>([
    [{}, 'listening on http://127.0.0.1:8080 grpc off'],
    [{ grpcPort: 50_001 }, 'listening on http://127.0.0.1:8080 grpc 127.0.0.1:50001'],
    [{ hasTls: true, host: '0.0.0.0' }, 'listening on https://0.0.0.0:8080 grpc off'],
    [{ host: '::1', grpcPort: 1 }, 'listening on http://[::1]:8080 grpc [::1]:1'],
    [{ publicUrl: 'https://config.example' }, 'listening on http://127.0.0.1:8080 grpc off'],
    [{ isTerminal: true }, 'listening on http://127.0.0.1:8080 grpc off'],
  ])('with %j has the line that programs wait for: %s', (changed, line) => {
    expect(banner({ ...facts, ...changed }).split('\n')).toContain(line);
  });

  it('shows no credentials when none were generated', () => {
    expect(banner({ ...facts, credentialsFile })).not.toMatch(/Endpoint|Secret|users|credentials/);
  });

  it('shows an external database without its password', () => {
    const text = banner({ ...facts, databaseUrl: 'postgres://u:hush@h1:5432,h2:5432/db' });
    expect(text).toContain('  Data            postgres://u@h1:5432,h2:5432/db\n');
    expect(text).not.toMatch(/hush|embedded/);
  });

  it('gives the public address to clients', () => {
    const text = banner({ ...facts, accessKey, publicUrl: 'https://config.example' });
    expect(text).toContain('Endpoint=https://config.example;Id=');
    expect(text).toContain('https://config.example/docs');
  });

  it('has escape codes on a terminal only', () => {
    const escape = String.fromCharCode(27);
    expect(banner({ ...facts, accessKey, users })).not.toContain(escape);
    expect(banner({ ...facts, accessKey, users, isTerminal: true })).toContain(`${escape}[1m`);
  });
});
