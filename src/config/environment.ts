import { readFileSync } from 'node:fs';

/** Text of one variable, with the name that an operator knows it by. */
export interface EnvironmentValue {
  /** `NAME`, or `NAME_FILE` when it was read from a file. */
  variable: string;
  text: string;
}

/**
 * Reads variables as texts. The empty text counts as unset, because composed environments (`PORT=${PORT}`) set empty ones. Files of
 * secrets that cannot be used become faults, and the variable still counts as named, so that no second fault calls it missing.
 */
export class Environment {
  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly faults: string[],
  ) {}

  /** The value of a variable that is no secret. */
  read(variable: string): EnvironmentValue | undefined {
    const text = this.env[variable];
    return text === undefined || text === '' ? undefined : { variable, text };
  }

  /** The value of a secret: `NAME`, or the content of the file that `NAME_FILE` names, without the line end that editors add. */
  readSecret(variable: string): EnvironmentValue | undefined {
    const direct = this.read(variable);
    const file = this.read(`${variable}_FILE`);
    if (file === undefined) return direct;
    if (direct !== undefined) {
      this.faults.push(`${variable} and ${file.variable} are both set; expected only one of them`);
      return undefined;
    }
    const text = this.contentOf(file);
    return text === undefined ? undefined : { variable: file.variable, text };
  }

  /** Whether the operator set the variable, directly or by file, be it to something usable or not. */
  isNamed(variable: string): boolean {
    return this.read(variable) !== undefined || this.read(`${variable}_FILE`) !== undefined;
  }

  private contentOf(file: EnvironmentValue): string | undefined {
    const found = `${file.variable} is ${JSON.stringify(file.text)}`;
    try {
      const text = readFileSync(file.text, 'utf8').replace(/[\r\n]+$/, '');
      if (text !== '') return text;
      // An empty secret would silently open what it was meant to close.
      this.faults.push(`${found}, an empty file; expected a file with the secret`);
    } catch (error) {
      this.faults.push(`${found}, which cannot be read (${reasonOf(error)}); expected a file with the secret`);
    }
    return undefined;
  }
}

/** Why a file operation failed, in a few words: the system's error code, or the message. */
export function reasonOf(error: unknown): string {
  // Not `instanceof Error`: errors of Node's own modules can come from another realm than this file's (Jest).
  if (typeof error !== 'object' || error === null) return String(error);
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'message' in error ? String(error.message) : 'unknown reason';
}
