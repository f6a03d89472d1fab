/** Longest duration that the command takes, in milliseconds: the API's longest lease, one day. */
export const MAX_DURATION_MS = 86_400_000;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `250ms`, `30s`, `5m`, `1h` or a bare `0`; undefined for any other text and for more than a day. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text === '0' ? '0s' : text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const milliseconds = Number(digits) * UNITS[unit]!;
  return milliseconds <= MAX_DURATION_MS ? milliseconds : undefined;
}

/** For people: in the largest unit that says it exactly, or nearly so: `5m`, `90s`, `1.5s`, `250ms`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`;
  for (const unit of ['h', 'm'] as const) {
    if (milliseconds % UNITS[unit]! === 0) return `${milliseconds / UNITS[unit]!}${unit}`;
  }
  return `${Number((milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0))}s`;
}
