import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';

const TLS = join(__dirname, '../support/tls');
const certificateOf = (pair: string): string => join(TLS, `${pair}.cert.pem`);
const keyOf = (pair: string): string => join(TLS, `${pair}.key.pem`);
const fingerprintOf = (pair: string): string => new X509Certificate(readFileSync(certificateOf(pair))).fingerprint256;
const FIRST = fingerprintOf('test-only');
const RENEWED = fingerprintOf('renewed');

let dataDir: string;
let certFile: string;
let keyFile: string;
let env: Record<string, string>;
beforeEach(() => {
  dataDir = newDataDir();
  certFile = join(dataDir, 'cert.pem');
  keyFile = join(dataDir, 'key.pem');
  env = { DATA_DIR: dataDir, TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile };
  put('test-only');
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function put(pair: string): void {
  copyFileSync(certificateOf(pair), certFile);
  copyFileSync(keyOf(pair), keyFile);
}

async function open(service: ServiceProcess): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: service.port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}

/** What a new connection is shown. */
async function shown(service: ServiceProcess): Promise<string> {
  const socket = await open(service);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** What eight connections in a row are shown: workers take turns, so each of two has several of them. */
async function shownByAll(service: ServiceProcess): Promise<string[]> {
  const all: string[] = [];
  for (let count = 0; count < 8; count++) all.push(await shown(service));
  return [...new Set(all)];
}

const linesWith = (service: ServiceProcess, message: string): Record<string, unknown>[] =>
  service.stderr
    .split('\n')
    .filter((line) => line.includes(`"${message}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const REFUSED = 'the certificate was not reloaded; the one in use stays';

describe('SIGHUP', () => {
  it('shows new connections the certificate that the files hold now, and leaves open ones alone', async () => {
    const service = await ServiceProcess.start(env);
    const before = await open(service);
    expect(before.getPeerCertificate().fingerprint256).toBe(FIRST);
    put('renewed');
    expect(await shown(service)).toBe(FIRST);
    service.signal('SIGHUP');
    await waitFor(async () => (await shown(service)) === RENEWED);
    await waitFor(() => linesWith(service, 'certificate reloaded').length > 0);
    expect(linesWith(service, 'certificate reloaded')).toMatchObject([{ level: 'info', fingerprint: RENEWED }]);

    before.end('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(await text(before)).toMatch(/^HTTP\/1\.1 200 /);

    put('test-only');
    service.signal('SIGHUP');
    await waitFor(async () => (await shown(service)) === FIRST);
    service.signal('SIGTERM');
    expect(await service.exit()).toBe(0);
  });

  it('changes nothing while the files are no certificate with its key, and says so', async () => {
    const service = await ServiceProcess.start(env);
    const breakFiles: (() => void)[] = [
      () => copyFileSync(certificateOf('renewed'), certFile),
      () => copyFileSync(keyOf('renewed'), keyFile),
      // A key of another kind, which OpenSSL alone does not notice.
      () => {
        const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
        writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
      },
      () => writeFileSync(certFile, 'no certificate'),
      () => writeFileSync(keyFile, ''),
      () => unlinkSync(certFile),
      () => unlinkSync(keyFile),
    ];
    for (const [index, breakFile] of breakFiles.entries()) {
      put('test-only');
      breakFile();
      service.signal('SIGHUP');
      await waitFor(() => linesWith(service, REFUSED).length === index + 1);
      expect(await shown(service)).toBe(FIRST);
    }
    expect(linesWith(service, REFUSED).every(({ level }) => level === 'error')).toBe(true);
    expect(service.stderr).not.toContain('PRIVATE KEY');

    put('renewed');
    service.signal('SIGHUP');
    await waitFor(async () => (await shown(service)) === RENEWED);
    service.signal('SIGTERM');
    expect(await service.exit()).toBe(0);
  });

  it('reaches every worker', async () => {
    const service = await ServiceProcess.start({ ...env, WORKERS: '2' });
    expect(await shownByAll(service)).toEqual([FIRST]);
    put('renewed');
    service.signal('SIGHUP');
    await waitFor(() => linesWith(service, 'certificate reloaded').length === 2);
    expect(await shownByAll(service)).toEqual([RENEWED]);

    writeFileSync(keyFile, 'no key');
    service.signal('SIGHUP');
    await waitFor(() => linesWith(service, REFUSED).length === 2);
    expect(await shownByAll(service)).toEqual([RENEWED]);
    service.signal('SIGTERM');
    expect(await service.exit()).toBe(0);
  });

  it.each(['1', '2'])('does nothing without TLS, with %s worker(s)', async (workers) => {
    const service = await ServiceProcess.start({ DATA_DIR: dataDir, WORKERS: workers });
    service.signal('SIGHUP');
    expect(await service.ready()).toBe(true);
    service.signal('SIGTERM');
    expect(await service.exit()).toBe(0);
  });
});
