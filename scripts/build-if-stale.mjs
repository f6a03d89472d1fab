#!/usr/bin/env node
// Builds when dist/ is missing or was made from other sources. The sources' digest decides, not their times: a fresh checkout
// has new times and a restored one has old ones.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'dist', '.sources');

function sourcesDigest() {
  const digest = createHash('sha256');
  const add = (path) => digest.update(`${path}\0`).update(readFileSync(join(root, path)));
  const walk = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (!path.endsWith('.spec.ts')) add(path);
    }
  };
  walk('src');
  for (const path of ['ormconfig.ts', 'tsconfig.json', 'tsconfig.build.json', 'nest-cli.json', 'package-lock.json'])
    add(path);
  return digest.digest('hex');
}

/** @param {{ force?: boolean }} options */
export function buildIfStale({ force = false } = {}) {
  // A deployment without sources or compiler runs what it was given.
  if (!existsSync(join(root, 'src'))) return;
  const digest = sourcesDigest();
  if (!force && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  process.stderr.write('latchkey: building\n');
  const nest = join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  const { status } = spawnSync(process.execPath, [nest, 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(stamp, digest);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildIfStale({ force: process.argv.includes('--force') });
