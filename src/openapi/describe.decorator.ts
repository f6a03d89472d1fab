import { type ApiOperationOptions, type ApiQuery } from '@nestjs/swagger';

/** A JSON schema as the OpenAPI document has it. */
export type Schema = Parameters<typeof ApiQuery>[0] extends infer Query
  ? Query extends { schema?: infer S }
    ? Extract<NonNullable<S>, { type?: unknown }>
    : never
  : never;

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  description: string;
  required?: boolean;
  schema: Schema;
}

export interface OperationDescription extends Pick<ApiOperationOptions, 'summary' | 'description' | 'responses'> {
  parameters?: readonly Parameter[];
  body?: { mediaTypes: readonly string[]; schema: Schema };
}

/** What a controller's method is described by. */
export interface DescribedMethod {
  readonly description: OperationDescription;
  readonly target: Parameters<MethodDecorator>;
}

const describedMethods: DescribedMethod[] = [];

/**
 * Everything the OpenAPI document says of one route, from one value: a controller's method keeps a single line for it. Only noted here;
 * what it means is for whoever makes the document, since no start waits for the library that knows.
 */
export function Describe(description: OperationDescription): MethodDecorator {
  return (...target) => void describedMethods.push({ description, target: target as DescribedMethod['target'] });
}

/** The methods that were described since it was last asked. */
export const takeDescribedMethods = (): DescribedMethod[] => describedMethods.splice(0);
