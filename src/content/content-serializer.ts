import { Injectable } from '@nestjs/common';
import { type ContentRequest } from '../http/content/content-request.js';
import { ContentHooks } from './content-hooks.js';
import { type ContentObject, isFolderish } from './content-object.js';
import { objectJson, type ShownItems, summaryJson } from './content.answers.js';
import { ContentService } from './content.service.js';
import { type Batch, batchingOf } from './rules/batch.js';

/** Puts together what an answer shows of an object: its own members, those of other features, and what is in it. */
@Injectable()
export class ContentSerializer {
  constructor(
    private readonly content: ContentService,
    private readonly hooks: ContentHooks,
  ) {}

  /** @param batch what is shown of a folder's items; null: nothing */
  async serialize(
    object: ContentObject,
    batch: Batch | null,
    request: ContentRequest,
  ): Promise<Record<string, unknown>> {
    const shown = batch && isFolderish(object) ? await this.itemsOf(object, batch, request) : undefined;
    const [members] = await this.hooks.membersOf([object], request);
    return objectJson(object, members!, shown, request);
  }

  /** The same of an object that the request has just made. Nothing is looked up: what was made is not to be answered with a failure. */
  async serializeNew(
    object: ContentObject,
    batch: Batch | null,
    request: ContentRequest,
  ): Promise<Record<string, unknown>> {
    const shown = batch && isFolderish(object) ? shownItems(object, [], 0, batch, request) : undefined;
    const [members] = await this.hooks.membersOf([object], request, true);
    return objectJson(object, members!, shown, request);
  }

  private async itemsOf(folder: ContentObject, batch: Batch, request: ContentRequest): Promise<ShownItems> {
    const { start, size, isFull } = batch;
    if (!isFull) {
      const { items, total } = await this.content.listChildren(folder, start, size);
      const summaries = items.map((item) => summaryJson(item, request));
      return shownItems(folder, summaries, total, batch, request);
    }
    const { items, total } = await this.content.listFullChildren(folder, start, size);
    const members = await this.hooks.membersOf(items, request);
    const full = items.map((item, index) => objectJson(item, members[index]!, undefined, request));
    return shownItems(folder, full, total, batch, request);
  }
}

function shownItems(
  { path }: ContentObject,
  items: readonly object[],
  total: number,
  batch: Batch,
  request: ContentRequest,
): ShownItems {
  return { items, total, batching: batchingOf(request.urlOf(path), request.query, batch, total) };
}
