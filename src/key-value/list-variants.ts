import { Injectable } from '@nestjs/common';
import { type Answer } from '../http/answer.js';
import { type AzureRequest } from '../http/azure/azure-request.js';

export interface ListVariant {
  readonly isChosenBy: (request: AzureRequest) => boolean;
  readonly answer: (request: AzureRequest) => Promise<Answer>;
}

/**
 * Operations that share the route `GET /kv` and are chosen by a query parameter (contract section 2.1). Another feature adds its own
 * here while the application starts, so that key-values need not know it.
 */
@Injectable()
export class ListVariants {
  private readonly variants: ListVariant[] = [];

  add(variant: ListVariant): void {
    this.variants.push(variant);
  }

  chosenBy(request: AzureRequest): ListVariant | null {
    return this.variants.find((variant) => variant.isChosenBy(request)) ?? null;
  }
}
