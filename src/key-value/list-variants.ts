import { Injectable } from '@nestjs/common';
import { type Answer } from '../http/answer.js';
import { type Capability } from '../http/azure/api-version.js';
import { type AzureRequest } from '../http/azure/azure-request.js';

export interface ListVariant {
  /** What a version must have for the parameter to mean anything; it is ignored in others. */
  readonly since: Capability;
  readonly answer: (request: AzureRequest) => Promise<Answer>;
}

/**
 * Operations that share the route `GET /kv` and are chosen by the presence of a query parameter (contract section 2.1). Another feature
 * adds its own here while the application starts, so that key-values need not know it.
 */
@Injectable()
export class ListVariants {
  private readonly byParameter = new Map<string, ListVariant>();

  add(parameter: string, variant: ListVariant): void {
    this.byParameter.set(parameter, variant);
  }

  chosenBy(request: AzureRequest): ListVariant | null {
    for (const [parameter, variant] of this.byParameter) {
      if (request.query.first(parameter) !== undefined && request.apiVersion.has(variant.since)) return variant;
    }
    return null;
  }
}
