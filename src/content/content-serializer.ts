import { Injectable } from '@nestjs/common';
import { type ContentRequest } from '../http/content/content-request.js';
import { ContentHooks } from './content-hooks.js';
import { type ContentObject, isFolderish } from './content-object.js';
import { objectJson, type ShownItems, summaryJson } from './content.answers.js';
import { ContentService } from './content.service.js';
import { batchingOf, isSet, isSwitchedOff, parseBatch } from './rules/batch.js';

/** Puts together what an answer shows of an object: its own members, those of other features, and what is in it. */
@Injectable()
export class ContentSerializer {
  constructor(
    private readonly content: ContentService,
    private readonly hooks: ContentHooks,
  ) {}

  /** As the query of the request asks for it: `b_start`, `b_size`, `include_items`, `fullobjects`. */
  async serialize(object: ContentObject, request: ContentRequest): Promise<Record<string, unknown>> {
    const shown = await this.itemsOf(object, request);
    const [members] = await this.hooks.membersOf([object], request);
    return objectJson(object, members!, shown, request);
  }

  private async itemsOf(object: ContentObject, request: ContentRequest): Promise<ShownItems | undefined> {
    const { query } = request;
    if (!isFolderish(object) || isSwitchedOff(query, 'include_items')) return undefined;
    const isFull = isSet(query, 'fullobjects');
    const batch = parseBatch(query, isFull);
    const url = request.urlOf(object.path);
    if (!isFull) {
      const { items, total } = await this.content.listChildren(object, batch.start, batch.size);
      const batching = batchingOf(url, query, batch, total);
      return { items: items.map((item) => summaryJson(item, request)), total, batching };
    }
    const { items, total } = await this.content.listFullChildren(object, batch.start, batch.size);
    const members = await this.hooks.membersOf(items, request);
    const full = items.map((item, index) => objectJson(item, members[index]!, undefined, request));
    return { items: full, total, batching: batchingOf(url, query, batch, total) };
  }
}
