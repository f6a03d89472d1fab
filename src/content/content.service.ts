import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type ChangeClaim } from '../http/content/change-claim.js';
import { badRequest, noSuchObject, notAllowed } from '../http/content/content-problem.js';
import { payloadTooLarge, preconditionFailed } from '../problem/catalogue.js';
import { type Problem } from '../problem/problem.js';
import { ContentHooks, type GuardedChange, type Verdict } from './content-hooks.js';
import { type ContentObject, type ContentSummary, isFolderish, ROOT_UID } from './content-object.js';
import {
  ContentRepository,
  type Located,
  MAX_COPIED_OBJECTS,
  MAX_LEVELS,
  MAX_REMOVED_OBJECTS,
  type Versions,
} from './content.repository.js';
import { idFromTitle } from './rules/content-id.js';
import { type ContentChanges, type NewContentRequest } from './rules/content-input.js';
import { type Source } from './rules/source.js';

/** How objects are addressed in answers; a `ContentRequest` is one. */
export interface ContentUrls {
  urlOf(path: readonly string[]): string;
}

/** An object that was moved or copied: where it is, or was, and where it or its copy is now. */
export interface Placement {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** What a path led to, where it must lead to something. */
export interface LocatedObject extends Located {
  readonly object: ContentObject;
}

/** The rules of the content tree: what is refused, and as what. */
@Injectable()
export class ContentService {
  constructor(
    private readonly repository: ContentRepository,
    private readonly hooks: ContentHooks,
  ) {}

  /**
   * The object at a path with what stands above it.
   *
   * @throws 404 that names the nearest object there is
   */
  async locate(path: readonly string[], urls: ContentUrls): Promise<LocatedObject> {
    const { object, ancestors } = await this.repository.findByPath(path);
    if (object) return { object, ancestors };
    throw noSuchObject(urls.urlOf(path), urls.urlOf(ancestors.at(-1)?.path ?? []));
  }

  /** @throws 404 */
  async get(path: readonly string[], urls: ContentUrls): Promise<ContentObject> {
    return (await this.locate(path, urls)).object;
  }

  /** The object wherever it is now; null when it is gone. */
  async findByUid(uid: string): Promise<ContentObject | null> {
    return (await this.repository.findByUid(uid)).object;
  }

  listChildren(
    folder: ContentSummary,
    start: number,
    size: number,
  ): Promise<{ total: number; items: ContentSummary[] }> {
    return this.repository.listChildren(folder, start, size);
  }

  listFullChildren(
    folder: ContentSummary,
    start: number,
    size: number,
  ): Promise<{ total: number; items: ContentObject[] }> {
    return this.repository.listFullChildren(folder, start, size);
  }

  /** @throws 400, 403, 404 or 413 */
  async add(
    path: readonly string[],
    content: NewContentRequest,
    author: string,
    urls: ContentUrls,
  ): Promise<ContentObject> {
    const parent = await this.get(path, urls);
    checkTakesChildren(parent);
    const id = content.id ?? idFromTitle(content.title, content.type.toLowerCase());
    const uid = content.uid ?? randomUUID().replaceAll('-', '');
    const { outcome, object } = await this.repository.add(uid, parent, content, id, content.id !== null, author);
    switch (outcome) {
      case 'done':
        return object!;
      case 'gone':
        throw noSuchObject(urls.urlOf(path), urls.urlOf([]));
      case 'id-taken':
        throw idTaken(id);
      case 'uid-taken':
        throw badRequest(`The UID ${uid} is already in use.`);
      case 'too-deep':
        throw tooDeep();
      case 'too-large':
        throw payloadTooLarge();
    }
  }

  /**
   * Changes the object and gives its new version; without any change it only shows the guard that its holder still works on it.
   *
   * @throws 400, 404, 412, 413, or what the guard makes of a lock
   */
  async change(
    path: readonly string[],
    changes: ContentChanges,
    versions: Versions,
    claim: ChangeClaim,
    urls: ContentUrls,
  ): Promise<{ uid: string; version: string }> {
    const object = await this.get(path, urls);
    if (object.uid === ROOT_UID && changes.id !== null && changes.id !== object.id) {
      throw badRequest('The site root cannot be renamed.');
    }
    const result = await this.repository.change(object.uid, changes, versions, claim);
    if (!result) throw noSuchObject(urls.urlOf(path), urls.urlOf([]));
    const { verdict, holds, outcome } = result;
    await this.checkVerdict(verdict, 'update', object, [object.uid], urls);
    if (!holds) throw preconditionFailed();
    switch (outcome!) {
      case 'done':
        return { uid: object.uid, version: result.version! };
      case 'id-taken':
        throw idTaken(changes.id!);
      case 'too-large':
        throw payloadTooLarge();
      case 'unknown-child':
        throw badRequest(`There is no ${JSON.stringify(changes.ordering!.child.slice(0, 100))} in this folder.`);
      case 'ordering-mismatch':
        throw badRequest('Client/server ordering mismatch');
    }
  }

  /**
   * Removes the object with everything below it.
   *
   * @throws 400, 404, 412, or what the guard makes of a lock
   */
  async remove(path: readonly string[], versions: Versions, claim: ChangeClaim, urls: ContentUrls): Promise<void> {
    const object = await this.get(path, urls);
    if (object.uid === ROOT_UID) throw badRequest('The site root cannot be deleted.');
    const result = await this.repository.removeSubtree(object.uid, versions, claim);
    if (!result) throw noSuchObject(urls.urlOf(path), urls.urlOf([]));
    if (result.outcome === 'too-many') {
      throw badRequest(`A deletion may take ${MAX_REMOVED_OBJECTS} objects at most.`);
    }
    await this.checkVerdict(result.verdict, 'remove', object, result.inTheWay, urls);
    if (!result.holds) throw preconditionFailed();
  }

  /** @throws 400, 403, 404, or what the guard makes of a lock */
  async move(
    path: readonly string[],
    sources: readonly Source[],
    claim: ChangeClaim,
    urls: ContentUrls,
  ): Promise<Placement[]> {
    const target = await this.get(path, urls);
    checkTakesChildren(target);
    const objects = await this.resolve(sources, urls);
    if (objects.some(({ uid }) => uid === ROOT_UID)) throw badRequest('The site root cannot be moved.');
    const moved = await this.repository.move(
      objects.map(({ uid }) => uid),
      target.uid,
      claim,
    );
    const placements: Placement[] = [];
    for (const object of objects) {
      const result = moved.find(({ uid }) => uid === object.uid);
      if (!result) throw noSuchObject(urls.urlOf(object.path), urls.urlOf([]));
      await this.checkVerdict(result.verdict, 'move', object, [object.uid], urls);
      if (result.outcome === 'gone') throw noSuchObject(urls.urlOf(path), urls.urlOf([]));
      if (result.outcome === 'too-deep') throw tooDeep();
      if (result.outcome === 'cycle') throw badRequest('An object cannot be moved into itself.');
      if (result.newId !== null) placements.push({ from: object.path, to: [...target.path, result.newId] });
    }
    return placements;
  }

  /** @throws 400, 403 or 404 */
  async copy(
    path: readonly string[],
    sources: readonly Source[],
    author: string,
    urls: ContentUrls,
  ): Promise<Placement[]> {
    const target = await this.get(path, urls);
    checkTakesChildren(target);
    const objects = await this.resolve(sources, urls);
    if (objects.some(({ uid }) => uid === ROOT_UID)) throw badRequest('The site root cannot be copied.');
    const copied = await this.repository.copy(
      objects.map(({ uid }) => uid),
      target.uid,
      author,
    );
    return copied.map(({ outcome, newId }, index) => {
      switch (outcome) {
        case 'done':
          return { from: objects[index]!.path, to: [...target.path, newId!] };
        case 'gone':
          throw noSuchObject(urls.urlOf(path), urls.urlOf([]));
        case 'source-gone':
          throw badRequest('A source was deleted meanwhile.');
        case 'too-many':
          throw badRequest(`A copy may make ${MAX_COPIED_OBJECTS} objects at most.`);
        case 'too-deep':
          throw tooDeep();
      }
    });
  }

  /** Each object once, in the order in which it was named first. */
  private async resolve(sources: readonly Source[], urls: ContentUrls): Promise<ContentObject[]> {
    const objects = new Map<string, ContentObject>();
    for (const source of sources) {
      const object = 'path' in source ? await this.get(source.path, urls) : await this.findByUid(source.uid);
      if (!object) throw badRequest(`There is no object with the UID ${(source as { uid: string }).uid}.`);
      if (!objects.has(object.uid)) objects.set(object.uid, object);
    }
    return [...objects.values()];
  }

  private async checkVerdict(
    verdict: Verdict,
    change: GuardedChange,
    object: ContentObject,
    uids: readonly string[],
    urls: ContentUrls,
  ): Promise<void> {
    if (verdict === 'free' || verdict === 'holder') return;
    const inTheWay = await Promise.all(uids.map(async (uid) => (uid === object.uid ? object : this.findByUid(uid))));
    throw this.hooks.guard.refusal({
      verdict,
      change,
      object,
      // What is gone again no longer matters, but the change was refused for it.
      urls: inTheWay.map((found) => urls.urlOf(found?.path ?? object.path)),
    });
  }
}

function checkTakesChildren(object: ContentObject): void {
  if (!isFolderish(object)) throw notAllowed(`An object of the type ${object.type} contains no others.`);
}

const tooDeep = (): Problem => badRequest(`The content tree has ${MAX_LEVELS} levels at most.`);

const idTaken = (id: string): Problem => badRequest(`The id "${id}" is invalid - it is already in use.`);
