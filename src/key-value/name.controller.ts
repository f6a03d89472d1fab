import { Get } from '@nestjs/common';
import { AzureAuthGuard } from '../auth/azure-auth.guard.js';
import { DatabaseClock } from '../database/database-clock.js';
import { type Answer } from '../http/answer.js';
import { AzureRequest } from '../http/azure/azure-request.js';
import { Describe } from '../openapi/describe.decorator.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { namesAnswer } from './key-value.answers.js';
import { LIST_KEYS, LIST_LABELS } from './key-value.openapi.js';
import { asOfFrom, cursorFrom } from './key-value.requests.js';
import { KeyValueService } from './key-value.service.js';
import { decodeNameToken, encodeNameToken } from './rules/continuation-token.js';
import { parseStringFilter } from './rules/string-filter.js';

/** `/keys` and `/labels`: the distinct names over live key-values (contract section 2.11). */
@SurfaceController('azure', AzureAuthGuard)
export class NameController {
  constructor(
    private readonly service: KeyValueService,
    private readonly clock: DatabaseClock,
  ) {}

  @Get('keys')
  @Describe(LIST_KEYS)
  @Needs('read')
  async listKeys(request: AzureRequest): Promise<Answer> {
    return this.list(request, 'keys', 'key');
  }

  @Get('labels')
  @Describe(LIST_LABELS)
  @Needs('read')
  async listLabels(request: AzureRequest): Promise<Answer> {
    return this.list(request, 'labels', 'label');
  }

  private async list(request: AzureRequest, collection: 'keys' | 'labels', column: 'key' | 'label'): Promise<Answer> {
    const asOf = asOfFrom(request, this.clock.now());
    // The real service names the column in `/labels`, not the parameter, and Python's SDK looks for that; for `/keys` nothing is known.
    const named = column === 'label' ? column : 'name';
    const filter = parseStringFilter(named, request.query.first('name'));
    const cursor = cursorFrom(request, decodeNameToken);
    const page = await this.service.listNames(
      column,
      filter,
      cursor && (cursor.name ?? ''),
      asOf?.exclusiveEndMs ?? null,
    );
    return namesAnswer(request, collection, page, (last) => encodeNameToken(last === '' ? null : last), asOf);
  }
}
