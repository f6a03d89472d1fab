import { type AzureAnswer } from './azure-http';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** A 400 of the Azure surface to the letter, the order of its members included (contract section 8). */
export function expectInvalidArgument(
  answer: AzureAnswer,
  name: string,
  detail = '',
  title = `Invalid request parameter '${name}'`,
): void {
  expect(answer.status).toBe(400);
  expect(answer.headers['content-type']).toBe(PROBLEM_TYPE);
  expect(answer.text).toBe(
    JSON.stringify({ type: 'https://azconfig.io/errors/invalid-argument', title, name, detail, status: 400 }),
  );
}

/** An answer that is only its status line and headers. */
export function expectEmpty(answer: AzureAnswer, status: number): void {
  expect(answer.status).toBe(status);
  expect(answer.text).toBe('');
  if (status === 204 || status === 304) expect(answer.headers['content-length']).toBeUndefined();
  else expect(answer.headers['content-length']).toBe('0');
  if (status !== 204) expect(answer.headers['content-type']).toBeUndefined();
}

/** The 409 of a locked key to the letter (contract section 7). */
export function expectKeyLocked(answer: AzureAnswer, key: string): void {
  expect(answer.status).toBe(409);
  expect(answer.headers['content-type']).toBe(PROBLEM_TYPE);
  expect(answer.text).toBe(
    JSON.stringify({
      type: 'https://azconfig.io/errors/key-locked',
      title: `Modifing key '${key}' is not allowed`,
      name: key,
      detail: 'The key is read-only. To allow modification unlock it first.',
      status: 409,
    }),
  );
}
