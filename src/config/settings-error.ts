/**
 * The service cannot start with the settings it was given. Each fault is one line for the operator: it names the variable or file,
 * what was found (never the value of a secret) and what is expected. `main` prints them all and exits 78.
 */
export class SettingsError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'SettingsError';
  }
}
