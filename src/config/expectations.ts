import type { ValidationArguments } from 'class-validator';
import { buildMessage, IsBoolean, IsIn, IsInt, IsOptional, Max, Min, ValidateBy } from './class-validator.js';

/**
 * Decorators for settings. Each wraps class-validator's own and gives it a message that completes the sentence "expected …", so
 * that the faults of all variables read alike.
 */

const all =
  (...decorators: PropertyDecorator[]): PropertyDecorator =>
  (target, property) =>
    decorators.forEach((decorate) => decorate(target, property));

/** The variable may stay unset. */
export const Unsettable = (): PropertyDecorator => IsOptional();

/** A whole number within both bounds. */
export function WholeNumber(min: number, max: number): PropertyDecorator {
  const message = `a whole number from ${min} to ${max}`;
  return all(IsInt({ message }), Min(min, { message }), Max(max, { message }));
}

/** `true` or `false`, in lower case. */
export const Switch = (): PropertyDecorator => IsBoolean({ message: 'true or false' });

/** One of a few words. */
export const OneOf = (words: readonly string[]): PropertyDecorator => IsIn(words, { message: listed(words) });

/** Whatever the predicate holds true; `expectation` says it in words. */
export function Expect(expectation: string, isAsExpected: (value: unknown) => boolean): PropertyDecorator {
  return ValidateBy({
    name: 'expect',
    validator: {
      validate: (value: unknown, _arguments?: ValidationArguments): boolean => isAsExpected(value),
      defaultMessage: buildMessage(() => expectation),
    },
  });
}

/** A text for which the predicate holds. */
export function Text(expectation: string, isAsExpected: (text: string) => boolean): PropertyDecorator {
  return Expect(expectation, (value) => typeof value === 'string' && isAsExpected(value));
}

/** A whole number within both bounds, or one word that stands for something else than a number. */
export function WholeNumberOr(word: string, min: number, max: number): PropertyDecorator {
  return Expect(
    `a whole number from ${min} to ${max}, or ${word}`,
    (value) => value === word || (Number.isInteger(value) && Number(value) >= min && Number(value) <= max),
  );
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
