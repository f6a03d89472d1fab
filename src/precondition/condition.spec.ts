import {
  type Condition,
  conditionFrom,
  lockOutcome,
  mayCreate,
  pageOutcome,
  patchOutcome,
  readOutcome,
  writeHolds,
} from './condition.js';

const none: Condition = { kind: 'none' };
const match: Condition = { kind: 'match', tag: 'e' };
const matchAny: Condition = { kind: 'match-any' };
const noneMatch: Condition = { kind: 'none-match', tag: 'e' };
const noneMatchAny: Condition = { kind: 'none-match-any' };

const EQUAL = 'e';
const OTHER = 'x';
const MISSING = null;

describe('conditionFrom', () => {
  it.each([
    [undefined, undefined, none],
    ['"e"', undefined, match],
    ['W/"e"', undefined, match],
    ['*', undefined, matchAny],
    ['"*"', undefined, matchAny],
    [undefined, '"e"', noneMatch],
    [undefined, '*', noneMatchAny],
    [undefined, '"*"', noneMatchAny],
  ])('reads If-Match %p and If-None-Match %p', (ifMatch, ifNoneMatch, expected) => {
    expect(conditionFrom(ifMatch, ifNoneMatch)).toEqual(expected);
  });

  it('uses If-Match alone when both are valid', () => {
    expect(conditionFrom('"e"', '*')).toEqual(match);
    expect(conditionFrom('*', '"e"')).toEqual(matchAny);
  });

  it('takes an invalid header for absent', () => {
    expect(conditionFrom('e', undefined)).toEqual(none);
    expect(conditionFrom(undefined, 'e')).toEqual(none);
    expect(conditionFrom('e', '"e"')).toEqual(noneMatch);
    expect(conditionFrom('', '*')).toEqual(noneMatchAny);
  });
});

describe('GET and HEAD of a key-value or snapshot', () => {
  it.each([
    [none, EQUAL, 'proceed'],
    [match, EQUAL, 'proceed'],
    [match, OTHER, 'precondition-failed'],
    [matchAny, EQUAL, 'proceed'],
    [noneMatch, EQUAL, 'not-modified'],
    [noneMatch, OTHER, 'proceed'],
    [noneMatchAny, EQUAL, 'not-modified'],
  ])('%j with the entity tag %p: %s', (condition, etag, outcome) => {
    expect(readOutcome(condition, etag)).toBe(outcome);
  });

  it.each([none, match, matchAny, noneMatch, noneMatchAny])('%j on a missing one: not-found', (condition) => {
    expect(readOutcome(condition, MISSING)).toBe('not-found');
  });
});

describe('GET and HEAD of a page', () => {
  it.each([
    [none, EQUAL, 'proceed'],
    [match, EQUAL, 'proceed'],
    [match, OTHER, 'precondition-failed'],
    [matchAny, EQUAL, 'proceed'],
    [noneMatch, EQUAL, 'not-modified'],
    [noneMatch, OTHER, 'proceed'],
    [noneMatchAny, EQUAL, 'not-modified'],
  ])('%j with the entity tag %p: %s', (condition, etag, outcome) => {
    expect(pageOutcome(condition, etag)).toBe(outcome);
  });
});

describe('PUT and DELETE of a key-value', () => {
  it.each([
    [none, EQUAL, true],
    [none, MISSING, true],
    [match, EQUAL, true],
    [match, OTHER, false],
    [match, MISSING, false],
    [matchAny, EQUAL, true],
    [matchAny, MISSING, false],
    [noneMatch, EQUAL, false],
    [noneMatch, OTHER, true],
    [noneMatch, MISSING, true],
    [noneMatchAny, EQUAL, false],
    [noneMatchAny, MISSING, true],
  ])('%j with the entity tag %p holds: %p', (condition, etag, holds) => {
    expect(writeHolds(condition, etag)).toBe(holds);
  });
});

describe('creating by PUT', () => {
  it.each([
    [none, true],
    [match, false],
    [matchAny, false],
    [noneMatch, true],
    [noneMatchAny, true],
  ])('%j: %p', (condition, may) => {
    expect(mayCreate(condition)).toBe(may);
  });
});

describe('PUT and DELETE of a lock', () => {
  it.each([
    [none, EQUAL, 'proceed'],
    [none, MISSING, 'not-found'],
    [match, EQUAL, 'proceed'],
    [match, OTHER, 'precondition-failed'],
    [match, MISSING, 'precondition-failed'],
    [matchAny, EQUAL, 'proceed'],
    [matchAny, MISSING, 'precondition-failed'],
    [noneMatch, EQUAL, 'precondition-failed'],
    [noneMatch, OTHER, 'proceed'],
    [noneMatch, MISSING, 'not-found'],
    [noneMatchAny, EQUAL, 'precondition-failed'],
    [noneMatchAny, MISSING, 'not-found'],
  ])('%j with the entity tag %p: %s', (condition, etag, outcome) => {
    expect(lockOutcome(condition, etag)).toBe(outcome);
  });
});

describe('PATCH of a snapshot', () => {
  it.each([
    [none, EQUAL, 'proceed'],
    [match, EQUAL, 'proceed'],
    [match, OTHER, 'precondition-failed'],
    [matchAny, EQUAL, 'proceed'],
    [noneMatch, EQUAL, 'precondition-failed'],
    [noneMatch, OTHER, 'proceed'],
    [noneMatchAny, EQUAL, 'precondition-failed'],
  ])('%j with the entity tag %p: %s', (condition, etag, outcome) => {
    expect(patchOutcome(condition, etag)).toBe(outcome);
  });

  it.each([none, match, matchAny, noneMatch, noneMatchAny])('%j on a missing one: not-found', (condition) => {
    expect(patchOutcome(condition, MISSING)).toBe('not-found');
  });
});
