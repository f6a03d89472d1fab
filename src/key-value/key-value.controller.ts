import { Delete, Get, Put, UseGuards } from '@nestjs/common';
import { AzureAuthGuard } from '../auth/azure-auth.guard.js';
import { DatabaseClock } from '../database/database-clock.js';
import { type Answer } from '../http/answer.js';
import { AzureRequest } from '../http/azure/azure-request.js';
import { isJsonBody } from '../http/azure/media-type.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { LockStores } from '../lease/lock-stores.js';
import { IfMatchGuard } from '../precondition/if-match.guard.js';
import { unsupportedMediaType } from '../problem/catalogue.js';
import {
  foundAnswer,
  keyValueAnswer,
  nothingDeletedAnswer,
  pageAnswer,
  pageMark,
  unchangedAnswer,
} from './key-value.answers.js';
import { DELETE_KEY_VALUE, GET_KEY_VALUE, LIST_KEY_VALUES, PUT_KEY_VALUE } from './key-value.openapi.js';
import { asOfFrom, authorFrom, cursorFrom, fenceFrom, filterFrom, nameFrom, tagsFrom } from './key-value.requests.js';
import { KeyValueService } from './key-value.service.js';
import { ListVariants } from './list-variants.js';
import { PageMarks } from './page-marks.js';
import { decodeKeyValueToken, keyValueTokenText } from './rules/continuation-token.js';
import { parseKeyValueBody } from './rules/key-value-input.js';

/** `/kv` and `/kv/{key}` (contract sections 2.8 to 2.10, 4, 5, 6). */
@SurfaceController('azure', AzureAuthGuard)
export class KeyValueController {
  constructor(
    private readonly service: KeyValueService,
    private readonly clock: DatabaseClock,
    private readonly variants: ListVariants,
    private readonly pageMarks: PageMarks,
    private readonly lockStores: LockStores,
  ) {}

  @Get('kv')
  @Describe(LIST_KEY_VALUES)
  @Needs('read')
  @UseGuards(IfMatchGuard)
  async list(request: AzureRequest): Promise<Answer> {
    const variant = this.variants.chosenBy(request);
    if (variant) return variant.answer(request);
    const asOf = asOfFrom(request, this.clock.now());
    const filter = filterFrom(request, asOf);
    const after = cursorFrom(request, decodeKeyValueToken);
    // Whoever has a page already asks whether it has changed; the past never does, and is asked for but once.
    const lookup =
      asOf === null && request.condition.kind !== 'none' ? await this.pageMarks.find([filter, after]) : null;
    const unchanged = lookup?.mark && unchangedAnswer(request, '/kv', lookup.mark, null);
    if (unchanged) return unchanged;
    const page = await this.service.list(filter, after);
    const mark = pageMark(page, (last) => keyValueTokenText(last.key, last.label));
    if (lookup) this.pageMarks.remember(lookup, mark);
    return pageAnswer(request, '/kv', page, mark, asOf);
  }

  @Get('kv/*key')
  @Describe(GET_KEY_VALUE)
  @Needs('read')
  @UseGuards(IfMatchGuard)
  async find(request: AzureRequest): Promise<Answer> {
    const asOf = asOfFrom(request, this.clock.now());
    const tags = tagsFrom(request, 'tagFilterOnKeyValue');
    return foundAnswer(request, await this.service.find(nameFrom(request), tags, asOf?.exclusiveEndMs ?? null), asOf);
  }

  @Put('kv/*key')
  @Describe(PUT_KEY_VALUE)
  @Needs('write')
  @UseGuards(IfMatchGuard)
  async put(request: AzureRequest): Promise<Answer> {
    const name = nameFrom(request);
    if (!isJsonBody(request.header('content-type'))) throw unsupportedMediaType();
    const hasDescription = request.apiVersion.has('description');
    const input = { ...parseKeyValueBody(request.body, hasDescription), hasDescription };
    const fence = fenceFrom(request, this.lockStores);
    return keyValueAnswer(request, await this.service.put(name, input, request.condition, authorFrom(request), fence));
  }

  @Delete('kv/*key')
  @Describe(DELETE_KEY_VALUE)
  @Needs('write')
  @UseGuards(IfMatchGuard)
  async remove(request: AzureRequest): Promise<Answer> {
    const name = nameFrom(request);
    const fence = fenceFrom(request, this.lockStores);
    const former = await this.service.remove(name, request.condition, authorFrom(request), fence);
    return former ? keyValueAnswer(request, former) : nothingDeletedAnswer();
  }
}
