import { Injectable, type OnModuleInit } from '@nestjs/common';
import { type Answer } from '../http/answer.js';
import { type AzureRequest } from '../http/azure/azure-request.js';
import { pageAnswer, pageMark } from '../key-value/key-value.answers.js';
import { cursorFrom } from '../key-value/key-value.requests.js';
import { ListVariants } from '../key-value/list-variants.js';
import { decodeOffsetToken, offsetTokenText } from './rules/item-offset.js';
import { snapshotParameterFrom } from './snapshot.requests.js';
import { SnapshotService } from './snapshot.service.js';

/** `GET /kv?snapshot={name}`: the key-values that a snapshot keeps (contract section 10.4). */
@Injectable()
export class SnapshotItems implements OnModuleInit {
  constructor(
    private readonly service: SnapshotService,
    private readonly variants: ListVariants,
  ) {}

  onModuleInit(): void {
    this.variants.add({ isChosenBy: (request) => request.listsSnapshot, answer: (request) => this.list(request) });
  }

  private async list(request: AzureRequest): Promise<Answer> {
    const offset = cursorFrom(request, decodeOffsetToken) ?? 0;
    const page = await this.service.listItems(snapshotParameterFrom(request), offset);
    const mark = pageMark(page, () => offsetTokenText(offset + page.items.length));
    return pageAnswer(request, '/kv', page, mark, null);
  }
}
