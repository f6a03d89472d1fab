import { userInfo } from 'node:os';

/** Who runs a command, for the history. */
export function operatingSystemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // Containers run under numbers that no list of users knows.
    return String(process.geteuid?.() ?? 'unknown');
  }
}
