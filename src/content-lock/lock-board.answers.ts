import { type ContentObject } from '../content/content-object.js';
import { type Answer } from '../http/answer.js';
import { type ContentLock, type ListedLock } from './content-lock.js';

/** Answers are about a moment, and caches would keep them. */
const jsonAnswer = (body: object): Answer => ({
  status: 200,
  headers: ['Content-Type', 'application/json; charset=utf-8', 'Cache-Control', 'no-store'],
  body: JSON.stringify(body),
});

export const listAnswer = ({ items, next }: { items: readonly ListedLock[]; next: string | null }): Answer =>
  jsonAnswer({ items: items.map(({ isStealable, ...item }) => ({ ...item, stealable: isStealable })), next });

/** The lock as it was. */
export const brokenAnswer = (lock: ContentLock, { path, title }: ContentObject): Answer =>
  jsonAnswer({
    uid: lock.uid,
    path: `/${path.join('/')}`,
    title,
    holder: lock.holder,
    created: `${lock.created}Z`,
    timeout: lock.timeout,
    stealable: lock.isStealable,
  });
