import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const DIST = join(__dirname, '..', '..', 'dist', 'src');

/** The packages that a program of ours has loaded once the given module is there. */
function packagesBehind(module: string): string[] {
  const program = `
    require('reflect-metadata');
    require(${JSON.stringify(join(DIST, module))});
    const packageOf = (file) => /.*node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(file)?.[1];
    console.log(JSON.stringify([...new Set(Object.keys(require.cache).map(packageOf).filter(Boolean))]));`;
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' })) as string[];
}

/** Every start waits for what is loaded, and every process keeps it in memory. */
describe('the libraries of a start', () => {
  it('leaves Nest and TypeORM for the time in which PostgreSQL starts, and out of a primary that serves nothing', () => {
    const loaded = packagesBehind('process/service.js');
    expect(loaded).toContain('pg');
    expect(loaded.filter((name) => name.startsWith('@nestjs/') || name === 'typeorm')).toEqual([]);
  });

  it('serves without what only some requests or settings need', () => {
    const loaded = packagesBehind('process/serve.js');
    expect(loaded).toContain('@nestjs/core');
    const rare = ['@nestjs/swagger', 'jose', 'yaml', 'pino-pretty', '@grpc/grpc-js', 'validator', 'libphonenumber-js'];
    expect(loaded.filter((name) => rare.includes(name))).toEqual([]);
  });
});
