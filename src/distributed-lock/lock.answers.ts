import { type Answer, emptyAnswer } from '../http/answer.js';
import { renderProblemJson } from '../http/native/problem-json.js';
import { type Lease } from '../lease/lease.js';
import { type LockStore } from '../lease/lock-stores.js';
import { lockHeld } from '../problem/catalogue.js';

/** Answers are about a moment, and caches would keep them. */
const jsonAnswer = (status: number, body: string): Answer => ({
  status,
  headers: ['Content-Type', 'application/json; charset=utf-8', 'Cache-Control', 'no-store'],
  body,
});

/**
 * JSON text of a lock as native API contract section 1 has it: every member is always there. Metadata is the text that the holder sent;
 * reading and writing it again would change numbers.
 */
function lockText(store: LockStore, resource: string, lease: Lease | null): string {
  const members = JSON.stringify({
    store: store.name,
    resource,
    state: lease?.isHeld === true ? 'held' : 'free',
    owner: lease?.owner ?? null,
    fence: lease?.fence ?? null,
    grantedAt: lease?.grantedAt ?? null,
    expiresAt: lease?.expiresAt ?? null,
    ttlMs: lease?.ttlMs ?? null,
    renewals: lease?.renewals ?? 0,
    waiters: lease?.waiters ?? 0,
  });
  return withMember(members, 'metadata', lease?.metadata ?? 'null');
}

/** The text of an object with members, and one more behind them. */
const withMember = (object: string, name: string, text: string): string => `${object.slice(0, -1)},"${name}":${text}}`;

/** @param lease null for a resource that was never asked for, which is free */
export const lockAnswer = (store: LockStore, resource: string, lease: Lease | null): Answer =>
  jsonAnswer(200, lockText(store, resource, lease));

export const grantedAnswer = (store: LockStore, resource: string, lease: Lease): Answer =>
  jsonAnswer(201, lockText(store, resource, lease));

/** The refusal of a lock, with the lock as its holder has it in the member `lock`. */
export function heldAnswer(store: LockStore, resource: string, lease: Lease): Answer {
  const { status, headers, body } = renderProblemJson(lockHeld());
  return { status, headers, body: withMember(body!, 'lock', lockText(store, resource, lease)) };
}

export const releasedAnswer = (): Answer => emptyAnswer(204);

/** Whether a write with the fence may still be accepted: only with the present holder's. */
export function checkedAnswer(fence: string, lease: Lease | null): Answer {
  const current = lease?.isHeld === true && lease.fence === fence;
  return jsonAnswer(200, JSON.stringify({ current, fence: lease?.fence ?? null }));
}

export function locksAnswer(store: LockStore, page: { items: readonly Lease[]; next: string | null }): Answer {
  const items = page.items.map((lease) => lockText(store, store.resourceOf(lease.storedKey), lease));
  return jsonAnswer(200, `{"items":[${items.join(',')}],"next":${JSON.stringify(page.next)}}`);
}

export const storesAnswer = (stores: readonly LockStore[]): Answer =>
  jsonAnswer(200, JSON.stringify({ items: stores.map(({ name, type, version }) => ({ name, type, version })) }));
