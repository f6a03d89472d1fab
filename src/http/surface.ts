import { type IncomingMessage } from 'node:http';
import { type Problem } from '../problem/problem.js';
import { type Answer } from './answer.js';
import { type ApiRequest } from './api-request.js';

/**
 * One of the APIs behind the shared port. It is chosen once per request by the first path segment, and everything that differs
 * between the APIs (error shape, CORS, body limit, headers of every answer) is asked of it and of nothing else.
 */
export interface Surface {
  readonly name: string;
  /** Raw first path segments that belong to it, case-sensitive (docs/architecture.md, "Surfaces"). */
  readonly segments: readonly string[];
  /** Bytes of a request body that are read before the request is refused. */
  readonly maxBodyBytes: number;
  /** Segments that are left to Nest's own express pipeline: pages and other cold paths. */
  readonly coldSegments?: readonly string[];

  createRequest(incoming: IncomingMessage): ApiRequest;
  /** Answer to OPTIONS, before routing and without credentials; null where the surface knows no preflight. */
  preflight(request: ApiRequest): Answer | null;
  /** Called before routing: refuses what the contract refuses whatever the path, and with a known verb or not. */
  admit?(request: ApiRequest): void;
  /** Where the routes are looked up, when that is not simply the path: its first segment and what follows it and its slash. */
  locate?(path: string): Location;
  /** Called once the route is known and before any guard: what the contract decides during routing. */
  routed?(request: ApiRequest): void;
  /** Names the refusal of a path that no route has; a plain 404 where the contract says nothing else. */
  unmatched?(request: ApiRequest): Problem;
  /** Adds what every answer of the surface carries. */
  addHeaders(headers: string[], request: ApiRequest, status: number): void;
  /** Turns a named problem into the surface's own error. */
  render(problem: Problem, request: ApiRequest): Answer;
}

/** A path as the route table takes it; `rest` is undefined when nothing follows the segment, not even a slash. */
export interface Location {
  readonly segment: string;
  readonly rest: string | undefined;
}

/** Injection token of the list of surfaces. */
export const SURFACES = Symbol('SURFACES');
