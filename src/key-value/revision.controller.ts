import { Get, UseGuards } from '@nestjs/common';
import { AzureAuthGuard } from '../auth/azure-auth.guard.js';
import { DatabaseClock } from '../database/database-clock.js';
import { type Answer } from '../http/answer.js';
import { AzureRequest } from '../http/azure/azure-request.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { IfMatchGuard } from '../precondition/if-match.guard.js';
import { rangeNotSatisfiable } from '../problem/catalogue.js';
import { pageAnswer, pageMark, rangeAnswer } from './key-value.answers.js';
import { LIST_REVISIONS } from './key-value.openapi.js';
import { asOfFrom, cursorFrom, filterFrom } from './key-value.requests.js';
import { KeyValueService } from './key-value.service.js';
import { decodeRevisionToken, revisionTokenText } from './rules/continuation-token.js';
import { parseItemRange } from './rules/item-range.js';

/** `/revisions`: every state that key-values had (contract sections 2.12, 4.7). */
@SurfaceController('azure', AzureAuthGuard)
export class RevisionController {
  constructor(
    private readonly service: KeyValueService,
    private readonly clock: DatabaseClock,
  ) {}

  @Get('revisions')
  @Describe(LIST_REVISIONS)
  @Needs('read')
  @UseGuards(IfMatchGuard)
  async list(request: AzureRequest): Promise<Answer> {
    const answer = await this.answer(request);
    answer.headers.push('Accept-Ranges', 'items');
    return answer;
  }

  private async answer(request: AzureRequest): Promise<Answer> {
    const asOf = asOfFrom(request, this.clock.now());
    const filter = filterFrom(request, asOf);
    const range = parseItemRange(request.header('range'));
    if (range) {
      const { items, total } = await this.service.listRevisionRange(filter, range);
      if (items.length === 0) throw rangeNotSatisfiable(total);
      return rangeAnswer(request, items, range.first, total, asOf);
    }
    const page = await this.service.listRevisions(filter, cursorFrom(request, decodeRevisionToken));
    const mark = pageMark(page, (last) => revisionTokenText(last.key, last.label, last.revision));
    return pageAnswer(request, '/revisions', page, mark, asOf);
  }
}
