import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSettings } from './load-settings.js';
import { SettingsError } from './settings-error.js';
import { SECRET_SETTINGS, Settings } from './settings.js';

const SOURCES = join(__dirname, '..');
const PAGE = readFileSync(join(SOURCES, '../docs/settings.md'), 'utf8');

interface Row {
  variable: string;
  standard: string;
  expected: string;
  isSecret: boolean;
}

const rows: Row[] = PAGE.split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [variable, standard, expected, fromFile] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim());
    return {
      variable: variable!.replaceAll('`', ''),
      standard: standard!.replaceAll('`', ''),
      expected: expected!,
      isSecret: fromFile === 'yes',
    };
  });

/** `DB_POOL_MAX` → `dbPoolMax`. */
const propertyOf = (variable: string): string =>
  variable.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const standards = { ...new Settings() } as Record<string, unknown>;

/** Defaults that depend on other circumstances, in words. */
const SPOKEN: Record<string, string> = {
  HTTP_HOST_QUIRK: 'true on loopback, else false',
  LOG_FORMAT: 'pretty on a terminal, else json',
};

/** All code that could act on a setting, without what reads and checks them. */
const code = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts') && !path.startsWith('config'))
  .map((path) => readFileSync(join(SOURCES, path), 'utf8'))
  .join('\n');

/** Settings that other code reads by what `Settings` derives from them. */
const READ_AS: Record<string, string> = { oidcIssuer: 'hasOidc', oidcAudience: 'hasOidc' };

/** As a member, or taken out of the settings by the head of a function. */
const isUsed = (property: string): boolean => {
  const name = READ_AS[property] ?? property;
  return new RegExp(`(settings|credentials)\\.${name}\\b|\\{[^{}]*\\b${name}\\b[^{}]*\\}: (Pick<)?Settings\\b`).test(
    code,
  );
};

describe('docs/settings.md', () => {
  it('lists every variable once, in the order of the settings', () => {
    expect(rows.map(({ variable }) => propertyOf(variable))).toEqual(Object.keys(standards));
  });

  it.each(rows)('gives the default of $variable', ({ variable, standard }) => {
    const value = standards[propertyOf(variable)];
    expect(standard).toBe(
      SPOKEN[variable] ?? (value === undefined ? 'unset' : String(value as string | number | boolean)),
    );
  });

  it.each(rows)('says what is expected of $variable', ({ variable, expected }) => {
    let faults: readonly string[] = [];
    try {
      // No variable may be a single blank.
      loadSettings({ [variable]: ' ' }, false);
    } catch (error) {
      faults = (error as SettingsError).faults;
    }
    const fault = faults.find((line) => line.startsWith(variable))!;
    expect(fault.split('; expected ')[1]).toBe(expected);
  });

  it.each(rows)('says whether $variable may come from a file', ({ variable, isSecret }) => {
    expect(isSecret).toBe(SECRET_SETTINGS.has(propertyOf(variable)));
  });

  it.each(rows)('lists $variable because something acts on it', ({ variable }) => {
    expect(isUsed(propertyOf(variable))).toBe(true);
  });
});
