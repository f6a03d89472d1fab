import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import type { DatabaseAddress } from '../../src/database/embedded/embedded-postgres.js';

const REPOSITORY = resolve(__dirname, '../..');
const LAUNCHER = join(REPOSITORY, 'src/database/embedded');

/** What the fixture says once it knows. */
export interface ServiceReport {
  owner: boolean;
  adopted: boolean;
  location: string;
  address: DatabaseAddress;
  message: string;
  isRefusal: boolean;
}

/** Compiles the launcher into a directory, for processes that have no ts-jest. */
export function compileLauncher(into: string): string {
  mkdirSync(into, { recursive: true });
  for (const name of readdirSync(LAUNCHER).filter((each) => each.endsWith('.ts') && !each.endsWith('.spec.ts'))) {
    const { outputText } = transpileModule(readFileSync(join(LAUNCHER, name), 'utf8'), {
      compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2023, esModuleInterop: true },
    });
    writeFileSync(join(into, name.replace(/\.ts$/, '.js')), outputText);
  }
  return into;
}

/** A service in a process of its own, which can be killed. */
export class ServiceProcess {
  /** The first thing it says. */
  readonly report: Promise<ServiceReport>;

  private constructor(readonly child: ChildProcess) {
    this.report = new Promise((told, failed) => {
      let errors = '';
      child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
      if (child.stdout) createInterface(child.stdout).once('line', (line) => told(JSON.parse(line) as ServiceReport));
      child.once('close', () => failed(new Error(`the service ended without a word: ${errors}`)));
    });
    // A service that is killed before it spoke is no failure of its own.
    this.report.catch(() => undefined);
  }

  static start(launcher: string, dataDir: string, user?: { uid: number; gid: number }): ServiceProcess {
    const fixture = join(REPOSITORY, 'test/start-up/fixtures/service.js');
    return new ServiceProcess(
      spawn(process.execPath, [fixture, launcher, dataDir], {
        cwd: '/',
        env: { PATH: process.env.PATH, NODE_PATH: join(REPOSITORY, 'node_modules') },
        stdio: ['pipe', 'pipe', 'pipe'],
        ...user,
      }),
    );
  }

  async stop(): Promise<void> {
    this.child.stdin?.write('stop\n');
    await this.hasExited();
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.hasExited();
  }

  private async hasExited(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }
}
