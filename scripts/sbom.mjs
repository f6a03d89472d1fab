#!/usr/bin/env node
// `npm run sbom [file]`: what of other people's work is in a release, as CycloneDX JSON (production dependencies only, as installed in
// node_modules), and whether its licences are ones that we may pass on. Exit code 1 when one is not.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** SPDX ids of licences that ask for no more than to be named along. Another one is a decision, and then an entry here. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
]);

/**
 * npm's own list of what is installed, without what only development needs. Its option `--omit dev` also leaves out whatever a development
 * dependency needs besides us, and of two copies of one version its list describes only the first; hence the lock file decides.
 */
export function productionSbom() {
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'],
    { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  if (status !== 0) throw new Error(`npm sbom failed:\n${stderr}`);
  const sbom = JSON.parse(stdout);
  const production = productionPackages();
  const components = sbom.components
    .filter(({ name, version }) => production.has(`${name}@${version}`))
    .map(({ properties = [], ...component }) => ({ ...component, properties: properties.filter(isNoPlace) }));
  const missing = production.size - new Set(components.map(({ name, version }) => `${name}@${version}`)).size;
  if (missing > 0) throw new Error(`npm sbom does not list ${missing} of the packages that are installed`);
  const refs = new Set([...components, sbom.metadata.component].map((component) => component['bom-ref']));
  const dependencies = sbom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }));
  return { ...sbom, components, dependencies };
}

/** Name and version of all that is installed and not for development alone. */
function productionPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8'));
  return new Set(
    Object.entries(packages)
      .filter(([, { dev, devOptional }]) => !dev && !devOptional)
      .map(([path, { name, version }]) => `${name ?? path.split('node_modules/').at(-1)}@${version}`),
  );
}

/** Of two copies npm tells where the first one lies, and whether that one is for development; neither is true of the other. */
const isNoPlace = ({ name }) => name !== 'cdx:npm:package:path' && name !== 'cdx:npm:package:development';

/** @returns one line for each component whose licence is missing or not on the list */
export function licenceFaults({ components }) {
  return components.flatMap(({ name, version, licenses = [] }) => {
    const texts = licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name ?? '');
    if (texts.length > 0 && texts.every(isPermissive)) return [];
    return [`${name}@${version}: ${texts.join(', ') || 'no licence'}`];
  });
}

/** Of "A OR B" one must be on the list, of "A AND B" both; SPDX binds AND closer. */
function isPermissive(expression) {
  const plain = expression.replaceAll(/[()]/g, ' ');
  // Taken apart without its parentheses, an expression of both words could pass that should not.
  if (plain !== expression && / AND /.test(plain) && / OR /.test(plain)) return false;
  return plain
    .split(' OR ')
    .some((alternative) => alternative.split(' AND ').every((each) => PERMISSIVE.has(each.trim())));
}

function main() {
  const file = resolve(process.argv[2] ?? join(root, 'dist', 'sbom.cdx.json'));
  const sbom = productionSbom();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(sbom, null, 2)}\n`);
  const faults = licenceFaults(sbom);
  for (const fault of faults) process.stderr.write(`licence not on the list: ${fault}\n`);
  process.stdout.write(`${sbom.components.length} components, ${faults.length} licence faults: ${file}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
