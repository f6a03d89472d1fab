import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiParam, ApiQuery } from '@nestjs/swagger';
import { type OperationDescription, type Parameter, takeDescribedMethods } from './describe.decorator.js';

/** Puts what `@Describe` noted on the methods, in the words of the library that makes the document. Each method gets it once. */
export function decorateDescribedMethods(): void {
  for (const { description, target } of takeDescribedMethods()) swaggerDecorator(description)(...target);
}

function swaggerDecorator({ parameters = [], body, ...operation }: OperationDescription): MethodDecorator {
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
