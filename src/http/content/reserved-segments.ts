/**
 * First path segments that belong to the other surfaces (docs/architecture.md, "Surfaces"). Objects at the root that have such an id are
 * reached behind `/++api++` only, so ids that are made from titles avoid them there. A test compares this list with the surfaces.
 */
export const RESERVED_SEGMENTS: readonly string[] = [
  'kv',
  'keys',
  'labels',
  'locks',
  'revisions',
  'snapshots',
  'operations',
  'v1.0',
  'v1.0-alpha1',
  'v1.0-alpha',
  'api',
  'console',
  'docs',
  'openapi.json',
  'healthz',
  'readyz',
  'metrics',
];

const RESERVED: ReadonlySet<string> = new Set(RESERVED_SEGMENTS);

export const isReserved = (segment: string): boolean => RESERVED.has(segment);
