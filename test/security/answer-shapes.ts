import { type RawAnswer, valueOf, valuesOf } from '../support/raw-http';
import { INSIDES } from './callers';

export type SurfaceName = 'azure' | 'dapr' | 'native' | 'content';

/** The only answers of 5xx that bad input may get: distributed-lock contract sections 2 and 6. */
const PLANNED_500 = [
  /^\{"errorCode":"ERR_TRY_LOCK","message":"failed to try acquiring lock: input key\/keyPrefix '.*' can't contain '\|\|'"\}$/s,
  /^\{"errorCode":"ERR_UNLOCK","message":"failed to release lock: input key\/keyPrefix '.*' can't contain '\|\|'"\}$/s,
  /^\{"errorCode":"ERR_HEALTH_APPID_NOT_MATCH","message":"dapr app-id does not match"\}$/,
];

const PROBLEM = 'application/problem+json; charset=utf-8';
const AZURE_MEMBERS = 'type,title,name,detail,status';

/**
 * What is wrong with an answer, whatever was asked; undefined when nothing is.
 *
 * @param surface undefined for what node's parser refused before there was any surface
 * @param sent all that the client sent: an answer may quote it, also where it reads like SQL
 */
export function faultOf(
  surface: SurfaceName | undefined,
  method: string,
  answer: RawAnswer,
  sent: string,
): string | undefined {
  const { status, body } = answer;
  if (status >= 500 && !(surface === 'dapr' && PLANNED_500.some((planned) => planned.test(body)))) return 'a 5xx';
  const inside = status >= 400 ? insideOf(answer, sent) : undefined;
  if (inside !== undefined) return `something of the inside: ${inside}`;
  if (valuesOf(answer, 'content-length').length > 1) return 'two lengths';
  if (surface === undefined) return isBare(answer) ? undefined : 'not the bare refusal of an unreadable request';
  if (surface !== 'dapr' && valueOf(answer, surface === 'azure' ? 'x-ms-request-id' : 'x-request-id') === undefined) {
    return 'no request id';
  }
  const type = valueOf(answer, 'content-type');
  if (method === 'HEAD') return body === '' ? undefined : 'a body in answer to HEAD';
  if (status >= 400) return SHAPES[surface](status, body, type, answer);
  if (body !== '' && type?.includes('json') && parse(body) === undefined) return 'JSON that is none';
  return undefined;
}

/** What is refused before there is any surface: a status and nothing else, and the end of the connection. */
export const isBare = (answer: RawAnswer): boolean =>
  [400, 408, 431].includes(answer.status) &&
  answer.body === '' &&
  valueOf(answer, 'connection') === 'close' &&
  answer.headers.every(([name]) => BARE_HEADERS.has(name));
/** Node's own refusal of a request without `Host` has the last two as well. */
const BARE_HEADERS = new Set(['Connection', 'Content-Length', 'Date', 'Transfer-Encoding']);

type Shape = (status: number, body: string, type: string | undefined, answer: RawAnswer) => string | undefined;

const SHAPES: Readonly<Record<SurfaceName, Shape>> = {
  azure(status, body, type) {
    if (body === '') return type === undefined ? undefined : 'a media type of nothing';
    const problem = parse(body);
    if (type !== PROBLEM || !problem) return 'no problem';
    if (problem['status'] !== status) return 'another status in the body';
    const members = Object.keys(problem);
    if (problem['type'] === 'urn:latchkey:problem:stale-fence') return undefined;
    if (!/^https:\/\/azconfig\.io\/errors\/[a-z-]+$/.test(String(problem['type']))) return 'an unknown type';
    const wanted = ['already-exists', 'invalid-state'].some((kind) => String(problem['type']).endsWith(kind))
      ? 'type,title,status,detail'
      : AZURE_MEMBERS;
    return members.join() === wanted ? undefined : `the members ${members.join()}`;
  },
  dapr(status, body, type, answer) {
    if (type === 'text/plain; charset=utf-8') {
      const isPlanned = body === 'invalid api token\n' ? status === 401 : status === 400;
      const isSniffable = valueOf(answer, 'x-content-type-options') !== 'nosniff';
      return isPlanned && body.endsWith('\n') && !isSniffable ? undefined : 'a text that Dapr does not have';
    }
    const error = parse(body);
    if (type !== 'application/json' || !error) return 'no JSON';
    if (Object.keys(error).join() !== 'errorCode,message') return `the members ${Object.keys(error).join()}`;
    if (!/^ERR_[A-Z_]+$/.test(String(error['errorCode']))) return 'no error code';
    return typeof error['message'] === 'string' && !/[<>&]/.test(body) ? undefined : 'no message as Dapr writes it';
  },
  native(status, body, type) {
    const problem = parse(body);
    if (type !== PROBLEM || !problem) return 'no problem';
    if (problem['status'] !== status) return 'another status in the body';
    if (!/^urn:latchkey:problem:[a-z-]+$/.test(String(problem['type']))) return 'an unknown type';
    return typeof problem['title'] === 'string' ? undefined : 'no title';
  },
  content(_status, body, type) {
    const answer = parse(body);
    if (type !== 'application/json; charset=utf-8' || !answer) return 'no JSON';
    const error = (answer['error'] ?? answer) as Record<string, unknown>;
    if (typeof error['message'] !== 'string') return 'no message';
    return /^[A-Z][A-Za-z ]+$/.test(String(error['type'])) ? undefined : 'no type';
  },
};

/** Contract section 1 of the distributed lock: Dapr's words for a bad escape. */
const BAD_ESCAPE = 'Error: invalid URL escape';

function insideOf(answer: RawAnswer, sent: string): string | undefined {
  const whole = `${answer.headers.map((pair) => pair.join(': ')).join('\n')}\n\n${answer.body}`;
  const known = [sent, decoded(sent), BAD_ESCAPE];
  for (const [text] of whole.matchAll(new RegExp(INSIDES, 'g'))) {
    if (!known.some((each) => each.includes(text))) return text;
  }
  return undefined;
}

function decoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** Undefined for anything but an object or a list. */
function parse(latin1: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(latin1, 'latin1').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
