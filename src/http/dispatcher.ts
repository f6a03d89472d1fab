import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { AccessLog } from '../logging/access-log.js';
import { Metrics, type RequestObserver } from '../metrics/metrics.js';
import {
  ambiguousRequest,
  forbidden,
  headersTooLarge,
  malformedPath,
  methodNotAllowed,
  notFound,
  uriTooLong,
} from '../problem/catalogue.js';
import { isFailure, Problem } from '../problem/problem.js';
import { toProblem } from '../problem/to-problem.js';
import { type Answer } from './answer.js';
import { type ApiRequest } from './api-request.js';
import { LeanContext } from './lean-context.js';
import { announcesBody, CLIENT_GONE, discardBody, readBody } from './request-body.js';
import { type Route, RouteTable } from './route-table.js';
import { type Surface, SURFACES } from './surface.js';

/** Header lines read before 431 (docs/limits.md); a client with more is broken or hostile. */
const MAX_HEADER_LINES = 200;
/** Characters of a request target read before 414; long filters with five alternatives fit many times over. */
const MAX_TARGET_LENGTH = 16_384;
const HOST = 'host';
const AUTHORIZATION = 'authorization';
const CONNECTION = 'Connection';

/**
 * What is served however crowded the database is: operators need it most then. Their own look at the database, if they take one, is
 * bounded all the same.
 */
const ALWAYS_ADMITTED = new Set(['nothing', 'metrics']);
/**
 * How long a request is held that there is no room for, in milliseconds; together with the rest of it less than the 500 ms after which
 * a refusal has to be there (reliability §2, F10). A caller that comes back at once, whatever `Retry-After` says, does so 2 times a
 * second then and not thousands of times: refusals that cost as much as answers leave nothing for the answers.
 */
const HOLD_MS = 400;
/** Requests held at a time; as many as there may be connections. */
const MAX_HELD = 5000;

/** A request with where it is to be answered. */
interface Arrival {
  readonly surface: Surface;
  readonly request: ApiRequest;
  readonly incoming: IncomingMessage;
  /** First segment of the raw path, and what follows it and its slash; see `Location`. */
  readonly segment: string;
  readonly rest: string | undefined;
}

type ExpressHandler = (incoming: IncomingMessage, response: ServerResponse) => void;

/**
 * The one way from the node server to a controller's method for every compatible API: surface, route, body, guards, method, answer
 * (docs/adr/0002 has the measurements behind it). Express and Nest's own pipeline only serve the paths that a surface leaves cold.
 */
@Injectable()
export class Dispatcher {
  private readonly tables = new Map<Surface, RouteTable>();
  private readonly bySegment = new Map<string, Surface>();
  private readonly observers = new Map<Surface, RequestObserver>();
  private readonly fallback: Surface;
  private isDraining = false;
  private held = 0;
  /** Connections whose last answer was given: RFC 9112 §9.6 forbids to process what still comes on them. */
  private readonly closing = new WeakSet<Socket>();

  constructor(
    @Inject(SURFACES) surfaces: readonly Surface[],
    private readonly accessLog: AccessLog,
    private readonly metrics: Metrics,
    private readonly database: Database,
  ) {
    for (const surface of surfaces) {
      this.observers.set(surface, metrics.requestObserver(surface.name));
      this.tables.set(surface, new RouteTable());
      for (const segment of surface.segments) this.bySegment.set(segment, surface);
    }
    // Every path that no surface claims belongs to the last one.
    this.fallback = surfaces.at(-1)!;
  }

  /** Adds a controller method; called once per route while the application starts. */
  addRoute(surfaceName: string, route: Route): void {
    const entry = [...this.tables].find(([surface]) => surface.name === surfaceName);
    if (!entry) throw new Error(`no surface is named ${surfaceName}`);
    entry[1].add(route);
  }

  /** Every hot route with the surface that it belongs to. */
  *routes(): Iterable<{ surface: Surface; route: Route }> {
    for (const [surface, table] of this.tables) for (const route of table.routes()) yield { surface, route };
  }

  /** From now on each answer asks its client to close the connection. */
  drain(): void {
    this.isDraining = true;
  }

  /** Counts a connection, or what was sent on one, that never became a request. */
  noteRefused(reason: 'too-many' | 'too-slow' | 'unreadable'): void {
    this.metrics.refusedConnections.inc({ reason });
  }

  /** Serves one request of the node server; what a surface leaves cold goes to `express`. */
  serve(incoming: IncomingMessage, response: ServerResponse, express: ExpressHandler): void {
    if (this.closing.has(incoming.socket)) return;
    const startedAt = performance.now();
    const path = (incoming.url = originForm(incoming.url!));
    const start = segmentStart(path);
    const end = segmentEnd(path, start);
    const segment = path.slice(start, end);
    const surface = this.bySegment.get(segment) ?? this.fallback;
    const request = surface.createRequest(incoming);
    if (surface.coldSegments?.includes(segment) && !refusalOf(request, segment)) {
      response.on('finish', () => this.finished(surface, request, response.statusCode, startedAt));
      this.prepareCold(surface, request, incoming, response);
      return express(incoming, response);
    }
    const rest = path.charCodeAt(end) === SLASH ? request.path.slice(end + 1) : undefined;
    void this.handle({ surface, request, incoming, segment, rest }, response, startedAt);
  }

  /** What express, which sends the rest, knows nothing of. */
  private prepareCold(
    surface: Surface,
    request: ApiRequest,
    incoming: IncomingMessage,
    response: ServerResponse,
  ): void {
    const headers: string[] = [];
    surface.addHeaders(headers, request, 200);
    if (this.isDraining) {
      headers.push(CONNECTION, 'close');
      this.closing.add(incoming.socket);
    }
    for (let index = 0; index < headers.length; index += 2) {
      response.appendHeader(headers[index]!, headers[index + 1]!);
    }
  }

  private async handle(arrival: Arrival, response: ServerResponse, startedAt: number): Promise<void> {
    const { surface, request, incoming } = arrival;
    try {
      let answer: Answer | null;
      try {
        answer = await this.answer(arrival);
      } catch (error) {
        // What node's parser finds wrong with the rest of the request comes first: after a refusal of ours it would cut that off.
        await Promise.resolve();
        answer = this.answerError(surface, request, error);
      }
      if (answer === null) return;
      this.write(surface, request, answer, incoming, response);
      this.finished(surface, request, answer.status, startedAt);
    } catch (error) {
      this.accessLog.failure(request, error);
      response.destroy();
    }
  }

  private finished(surface: Surface, request: ApiRequest, status: number, startedAt: number): void {
    this.observers.get(surface)!(status, (performance.now() - startedAt) / 1000);
    this.accessLog.write(request, status, startedAt);
  }

  private answer(arrival: Arrival): Answer | Promise<Answer> {
    const { surface, request, incoming, segment, rest } = arrival;
    const refusal = refusalOf(request, segment);
    if (refusal) throw refusal;
    if (request.method === 'OPTIONS') {
      const preflight = surface.preflight(request);
      if (preflight) return preflight;
    }
    surface.admit?.(request);
    const location = surface.locate?.(request.path) ?? { segment, rest };
    const match = this.tables.get(surface)!.match(location.segment, location.rest);
    if (!match) throw surface.unmatched?.(request) ?? notFound();
    const { routes } = match;
    const route = routes.get(request.method) ?? (request.method === 'HEAD' ? routes.get('GET') : undefined);
    if (!route) throw methodNotAllowed(allowedMethods(routes));
    request.route = route;
    request.params = match.params;
    surface.routed?.(request);
    const isHeld = this.database.isCrowded && !ALWAYS_ADMITTED.has(route.access);
    if (isHeld || announcesBody(incoming)) return this.answerLater(arrival, route, isHeld);
    return this.admitted(request, route, 0);
  }

  private async answerLater({ surface, request, incoming }: Arrival, route: Route, isHeld: boolean): Promise<Answer> {
    if (isHeld) await this.holdBack(incoming);
    if (announcesBody(incoming)) request.body = await readBody(incoming, surface.maxBodyBytes);
    return this.admitted(request, route, 0);
  }

  /**
   * Asks the guards from the given one on, then calls the method. Most guards decide at once; waiting only for those that do not keeps
   * turns of the event loop out of every request.
   */
  private admitted(request: ApiRequest, route: Route, firstGuard: number): Answer | Promise<Answer> {
    if (firstGuard < route.guards.length) {
      const context: ExecutionContext = new LeanContext(request);
      for (let index = firstGuard; index < route.guards.length; index++) {
        const verdict = route.guards[index]!.canActivate(context);
        if (verdict === true) continue;
        if (verdict === false) throw forbidden();
        return Promise.resolve(verdict).then((isAdmitted) => {
          if (!isAdmitted) throw forbidden();
          return this.admitted(request, route, index + 1);
        });
      }
    }
    return route.handle(request);
  }

  /** Before anything is read or checked: what is refused must cost as little as can be. Returns when there is room after all. */
  private async holdBack(incoming: IncomingMessage): Promise<void> {
    if (this.held >= MAX_HELD) throw this.database.refuseCrowd();
    this.held++;
    await pause(HOLD_MS);
    this.held--;
    if (incoming.destroyed) throw CLIENT_GONE;
    if (this.database.isCrowded) throw this.database.refuseCrowd();
  }

  private answerError(surface: Surface, request: ApiRequest, error: unknown): Answer | null {
    if (error === CLIENT_GONE) return null;
    const problem = error instanceof Problem ? error : toProblem(error);
    if (isFailure(problem)) this.accessLog.failure(request, problem.cause);
    return surface.render(problem, request);
  }

  private write(
    surface: Surface,
    request: ApiRequest,
    answer: Answer,
    incoming: IncomingMessage,
    response: ServerResponse,
  ): void {
    const { headers, body } = answer;
    surface.addHeaders(headers, request, answer.status);
    if (body !== null) headers.push('Content-Length', String(Buffer.byteLength(body)));
    else if (answer.status !== 204 && answer.status !== 304) headers.push('Content-Length', '0');
    // A body that was refused unread would be taken for the next request on this connection.
    const isUnread = !incoming.complete && announcesBody(incoming);
    const isClosing = hasName(headers, CONNECTION);
    if (isClosing || isUnread || this.isDraining) {
      if (!isClosing) headers.push(CONNECTION, 'close');
      this.closing.add(incoming.socket);
    }
    response.writeHead(answer.status, headers);
    if (!isUnread) return void response.end(body);
    response.flushHeaders();
    if (body !== null) response.write(body);
    discardBody(incoming, () => {
      response.once('finish', () => incoming.destroy());
      response.end();
    });
  }
}

const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;

/**
 * Path and query of a target that names scheme and authority as well, as clients send it to proxies; RFC 9112 §3.2.2: every server
 * must read it. All others stay as they are.
 */
function originForm(target: string): string {
  if (target.charCodeAt(0) === SLASH || !/^https?:\/\//i.test(target)) return target;
  const authorityStart = target.indexOf('//') + 2;
  const length = target.slice(authorityStart).search(/[/?#]/);
  const rest = length < 0 ? '' : target.slice(authorityStart + length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Why a request is refused whatever it asks for; undefined when nothing is wrong with it. */
function refusalOf({ target, rawHeaders }: ApiRequest, segment: string): Problem | undefined {
  if (target.length > MAX_TARGET_LENGTH) return uriTooLong();
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) return headersTooLarge();
  if (hasRepeatedHeader(rawHeaders)) return ambiguousRequest();
  if (isDotSegment(segment)) return malformedPath();
  return undefined;
}

/** Headers that say who calls and where to; of which two can never be told apart from an attack. */
function hasRepeatedHeader(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  let authorizations = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === HOST.length && name.toLowerCase() === HOST) hosts++;
    else if (name.length === AUTHORIZATION.length && name.toLowerCase() === AUTHORIZATION) authorizations++;
  }
  return hosts > 1 || authorizations > 1;
}

/** Whether an answer has a header of that name, in our own spelling. Values may be the client's own words and tell nothing. */
function hasName(headers: readonly string[], name: string): boolean {
  for (let index = 0; index < headers.length; index += 2) if (headers[index] === name) return true;
  return false;
}

/** HEAD is served wherever GET is. */
function allowedMethods(routes: ReadonlyMap<string, Route>): string[] {
  return [...routes.keys()].flatMap((method) => (method === 'GET' && !routes.has('HEAD') ? ['GET', 'HEAD'] : [method]));
}

function segmentStart(target: string): number {
  let position = 0;
  while (target.charCodeAt(position) === SLASH) position++;
  return position;
}

function segmentEnd(target: string, start: number): number {
  let position = start;
  for (; position < target.length; position++) {
    const code = target.charCodeAt(position);
    if (code === SLASH || code === QUESTION_MARK) break;
  }
  return position;
}

/** `.`, `..` and their encoded spellings: a proxy in front may have resolved them differently than we would. */
function isDotSegment(segment: string): boolean {
  if (segment.length === 0 || segment.length > 6) return false;
  const plain = segment.replace(/%2e/gi, '.');
  return plain === '.' || plain === '..';
}
