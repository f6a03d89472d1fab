import { applyDecorators } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiHeader,
  ApiOperation,
  type ApiOperationOptions,
  ApiParam,
  ApiQuery,
} from '@nestjs/swagger';

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

/** Everything the OpenAPI document says of one route, from one value: a controller's method keeps a single line for it. */
export function Describe({ parameters = [], body, ...operation }: OperationDescription): MethodDecorator {
  return applyDecorators(
    ApiOperation(operation),
    ...parameters.map(describeParameter),
    ...(body ? [ApiConsumes(...body.mediaTypes), ApiBody({ required: true, schema: body.schema })] : []),
  );
}

function describeParameter({ in: place, ...parameter }: Parameter): MethodDecorator {
  if (place === 'path') return ApiParam(parameter);
  if (place === 'query') return ApiQuery({ required: false, ...parameter });
  const { name, description, required, schema } = parameter;
  return ApiHeader({ name, description, required: required ?? false, schema });
}
