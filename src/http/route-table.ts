import { type CanActivate } from '@nestjs/common';
import { type Answer } from './answer.js';
import { type ApiRequest } from './api-request.js';

/** One controller method as the dispatcher calls it. */
export interface Route {
  readonly method: string;
  /** Nest's own spelling: `kv`, `kv/*key`, `lock/:store`. */
  readonly pattern: string;
  /** What the caller must be allowed to do; declared with `@Needs()`. */
  readonly access: string;
  /** What it changes of content; declared with `@ChangesContent()` by all routes of that surface that are not GET. */
  readonly changes?: string;
  /** Guard instances of the controller, then of the method. */
  readonly guards: readonly CanActivate[];
  /** Name of the controller and method, for logs and for the authorisation matrix. */
  readonly handlerName: string;
  readonly handle: (request: ApiRequest) => Answer | Promise<Answer>;
}

interface Pattern {
  /** Literal text, `:name` for one segment, `*name` for the rest with its slashes. */
  readonly segments: readonly string[];
  readonly routes: Map<string, Route>;
}

/** The routes that one path has, and what the path's variable parts were. */
export interface PathMatch {
  readonly routes: ReadonlyMap<string, Route>;
  readonly params: Readonly<Record<string, string>>;
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * Finds the controller method for a raw path. Nothing is decoded and no slash is collapsed here: whatever a `*name` captures is
 * exactly what the client sent. Patterns are tried per first segment, longest literal first, so a lookup is one map access and a
 * comparison or two.
 */
export class RouteTable {
  private readonly byFirstSegment = new Map<string, Pattern[]>();
  private readonly all: Route[] = [];

  add(route: Route): void {
    const segments = route.pattern.split('/').filter((segment) => segment !== '');
    const first = segments[0] ?? '';
    const patterns = this.byFirstSegment.get(first) ?? [];
    this.byFirstSegment.set(first, patterns);
    let pattern = patterns.find((known) => known.segments.join('/') === segments.join('/'));
    if (!pattern) {
      pattern = { segments, routes: new Map() };
      patterns.push(pattern);
      patterns.sort((a, b) => variableCount(a.segments) - variableCount(b.segments));
    }
    if (pattern.routes.has(route.method)) throw new Error(`two handlers for ${route.method} /${route.pattern}`);
    pattern.routes.set(route.method, route);
    this.all.push(route);
  }

  /** Every route, in the order added. */
  routes(): readonly Route[] {
    return this.all;
  }

  /**
   * @param firstSegment first non-empty segment of the path
   * @param rest what follows it and its slash, raw; undefined when nothing follows, not even a slash
   */
  match(firstSegment: string, rest: string | undefined): PathMatch | null {
    const patterns = this.byFirstSegment.get(firstSegment);
    if (!patterns) return null;
    for (const { segments, routes } of patterns) {
      const params = matchSegments(segments, rest);
      if (params) return { routes, params };
    }
    return null;
  }
}

const variableCount = (segments: readonly string[]): number =>
  segments.filter((segment) => segment.startsWith(':') || segment.startsWith('*')).length;

function matchSegments(segments: readonly string[], rest: string | undefined): Record<string, string> | null {
  // `/kv/` is `/kv`: a catch-all needs at least one character.
  if (segments.length === 1) return rest === undefined || rest === '' ? NO_PARAMS : null;
  if (rest === undefined || rest === '') return null;
  const params: Record<string, string> = {};
  let position = 0;
  for (let index = 1; index < segments.length; index++) {
    if (position > rest.length) return null;
    const segment = segments[index]!;
    if (segment.startsWith('*')) {
      params[segment.slice(1)] = rest.slice(position);
      return params;
    }
    const slash = rest.indexOf('/', position);
    const end = slash < 0 ? rest.length : slash;
    const given = rest.slice(position, end);
    if (segment.startsWith(':')) {
      if (given === '') return null;
      params[segment.slice(1)] = given;
    } else if (given !== segment) return null;
    position = end + 1;
  }
  return position > rest.length ? params : null;
}
