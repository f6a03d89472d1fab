import { createHash, randomInt } from 'node:crypto';
import * as fc from 'fast-check';
import { faultOf, isBare, type SurfaceName } from './answer-shapes';
import { AttackedService, MAX_STALL_MS } from './attacked-service';
import { BadClient, type BadRequest, mayBeCutOff, surfaceOf, wireText } from './bad-http';
import { type BadRoute, badRoutes } from './bad-routes';

/**
 * Generated requests that no client of good will sends, to every route of every surface, against the built service in a process of its own.
 *
 * `BAD_INPUTS` is the number of requests over HTTP (5,500 when unset), `BAD_INPUTS_SEED` the seed of a former run, `BAD_INPUTS_ONLY` a
 * part of a route's name. Requests are sent one after the other, so that a stall or a crash has one that made it; what fails is made
 * smaller until it is small.
 */
const COUNT = Number(process.env['BAD_INPUTS'] ?? 5_500);
/** The quick run is the same each time, a long one another each time. */
const SEED = Number(process.env['BAD_INPUTS_SEED'] ?? (process.env['BAD_INPUTS'] ? randomInt(2 ** 31) : 20_261_121));
const ONLY = process.env['BAD_INPUTS_ONLY'] ?? '';
/** Requests of a kind that stalled once are sent so often again: what is the request's own doing stalls each time. */
const STALL_ATTEMPTS = 4;
/** A database that is starved by other processes of the machine makes 503s that no input made; what an input makes, it makes each time. */
const BUSY_ATTEMPTS = 3;

const SURFACES: readonly SurfaceName[] = ['azure', 'dapr', 'native', 'content'];

let attacked: AttackedService;
let client: BadClient;
let routes: BadRoute[];

beforeAll(async () => {
  attacked = await AttackedService.start();
  client = new BadClient(attacked.port);
  routes = badRoutes(attacked.app);
  process.stdout.write(`bad inputs: BAD_INPUTS=${COUNT} BAD_INPUTS_SEED=${SEED}\n`);
});
afterAll(async () => {
  client?.close();
  await attacked?.stop();
});

const statuses = new Map<string, number>();
const count = (surface: string, status: number | string): void => {
  const name = `${surface} ${status}`;
  statuses.set(name, (statuses.get(name) ?? 0) + 1);
};
const inputs = { http: 0, repeatedFor503: 0, repeatedForStall: 0 };
let slowest = { stallMs: 0, what: '' };

/** Sends one and judges the answer; throws what is wrong with it. */
async function judge(request: BadRequest): Promise<void> {
  const text = wireText(request, attacked.port);
  const surface = surfaceOf(request.target);
  for (let attempt = 1; ; attempt++) {
    const answer = await client.send(text, request.method);
    const { stallMs } = await attacked.figures();
    if (attempt === 1) {
      inputs.http++;
      count(surface, answer?.status ?? 'closed');
      if (stallMs > slowest.stallMs) slowest = { stallMs, what: text.slice(0, 200) };
    }
    if (answer?.status === 503 && attempt < BUSY_ATTEMPTS) {
      inputs.repeatedFor503++;
      continue;
    }
    if (stallMs > MAX_STALL_MS) {
      if (attempt < STALL_ATTEMPTS) {
        inputs.repeatedForStall++;
        continue;
      }
      throw new Error(`the event loop stood still for ${Math.round(stallMs)} ms of computing`);
    }
    if (!answer) {
      if (mayBeCutOff(request)) return;
      throw new Error('the connection ended without an answer');
    }
    const fault = faultOf(isUnreadable(request) && isBare(answer) ? undefined : surface, request.method, answer, text);
    if (fault !== undefined) {
      throw new Error(`${fault}: ${answer.status} ${JSON.stringify(answer.headers)} ${answer.body.slice(0, 1_000)}`);
    }
    return;
  }
}

/** Whether node's parser may refuse it before anything of ours sees it: characters that a target must not have, or a header too long. */
const isUnreadable = ({ target, headers }: BadRequest): boolean =>
  /[^!-~]/.test(target) ||
  headers.reduce((sum, [name, value]) => sum + name.length + value.length, target.length) > 30_000;

const seedOf = (name: string): number => createHash('sha256').update(`${SEED} ${name}`).digest().readInt32BE();

describe('generated requests', () => {
  it.each(SURFACES)(
    'to every route of %s get answers of its own shape, none of them a 5xx that its contract does not have',
    async (surface) => {
      const share = Math.ceil(COUNT / routes.length);
      const failures: string[] = [];
      for (const route of routes.filter((each) => each.surface === surface && each.name.includes(ONLY))) {
        await attacked.makeTargets();
        try {
          await fc.assert(fc.asyncProperty(route.requests, judge), { numRuns: share, seed: seedOf(route.name) });
        } catch (error) {
          const { message, cause } = error as Error & { cause?: Error };
          failures.push(`${route.name}: ${message}\n${cause?.message ?? ''}`);
          if (!attacked.isAlive) break;
        }
      }
      expect(failures.join('\n\n')).toBe('');
    },
    COUNT * 100 + 60_000,
  );
});

describe('after all of them', () => {
  it('it is so many, and most got as far as a handler', () => {
    process.stdout.write(
      `${JSON.stringify({ inputs, slowest, statuses: Object.fromEntries([...statuses].sort()) }, null, 1)}\n`,
    );
    expect(routes.length).toBeGreaterThan(80);
    if (ONLY !== '') return;
    expect(inputs.http).toBeGreaterThanOrEqual(COUNT);
    for (const surface of SURFACES) {
      const of = (status: number): number => statuses.get(`${surface} ${status}`) ?? 0;
      // A generator that is refused at the door would prove nothing.
      expect([surface, of(200) > 4 * of(401)]).toEqual([surface, true]);
    }
  });

  it('the service has come to no harm', () => attacked.expectUnharmed());
});
