import { Injectable } from '@nestjs/common';
import { type ContentRequest } from '../http/content/content-request.js';
import { type Problem } from '../problem/problem.js';
import { type ContentObject } from './content-object.js';

/**
 * What a change of an object meets: nobody holds it; the caller does and sent its token; somebody holds it and the caller did not send
 * the holder's token; or nobody holds it, but the token that was sent is of a former lock after which others changed the object.
 */
export type Verdict = 'free' | 'holder' | 'locked' | 'stale-token';

/** Changes that a lock stands against. */
export type GuardedChange = 'update' | 'remove' | 'move';

/** A change that was not made because of a verdict. */
export interface Refusal {
  readonly verdict: Exclude<Verdict, 'free' | 'holder'>;
  readonly change: GuardedChange;
  /** The object that was to be changed. */
  readonly object: ContentObject;
  /** URLs of the first objects below it (for a removal: or itself) that stand in the way, nearest first; at least one. */
  readonly urls: readonly string[];
}

/**
 * Judges every change of content inside its own statement. The SQL fragments are expressions; their arguments are expressions too: an
 * object's uid, the user's id and the token (both text, the token null when none was sent), and whether the lock is to be released.
 * They are evaluated behind the object's row lock (`FOR UPDATE` on `content_object`), so they call VOLATILE plpgsql functions, whose
 * statements see everything that was committed before that lock was got. Whoever grants a lock takes the same row lock first.
 */
export interface ChangeGuard {
  /** Text: one of `Verdict`. Changes nothing. */
  verdictSql(uid: string, user: string, token: string): string;
  /** Evaluated once for each object that was changed, or touched by its holder, in the transaction of the change; its value is ignored. */
  changedSql(uid: string, user: string, token: string, release: string): string;
  /** Names the refusal of a change. */
  refusal(refusal: Refusal): Problem;
}

/**
 * Adds members to the answers that show objects in full: GET, POST, `Prefer: return=representation` and `fullobjects`. One result for
 * each object, in their order. Objects are new when the request has just made them: nobody has done anything with them yet, and what is
 * known of them without looking it up cannot fail behind the change.
 */
export type ContentSerializer = (
  objects: readonly ContentObject[],
  request: ContentRequest,
  isNew: boolean,
) => Promise<readonly Record<string, unknown>[]>;

const OPEN_GUARD: ChangeGuard = {
  verdictSql: () => `'free'::text`,
  changedSql: () => `NULL::text`,
  refusal: ({ verdict }) => {
    throw new Error(`nobody can answer the verdict ${verdict}`);
  },
};

/**
 * Where other features reach into content, which knows none of them. They register while the application starts (`onModuleInit`), before
 * the first request.
 */
@Injectable()
export class ContentHooks {
  private currentGuard: ChangeGuard = OPEN_GUARD;
  private readonly serializers: ContentSerializer[] = [];

  get guard(): ChangeGuard {
    return this.currentGuard;
  }

  /** There is one guard: a second would have to agree with the first on every verdict. */
  useGuard(guard: ChangeGuard): void {
    if (this.currentGuard !== OPEN_GUARD) throw new Error('content has a guard already');
    this.currentGuard = guard;
  }

  addSerializer(serializer: ContentSerializer): void {
    this.serializers.push(serializer);
  }

  /** What the serializers add, one record for each object. */
  async membersOf(
    objects: readonly ContentObject[],
    request: ContentRequest,
    isNew = false,
  ): Promise<Record<string, unknown>[]> {
    const lists = await Promise.all(this.serializers.map((serialize) => serialize(objects, request, isNew)));
    return objects.map((_, index) => Object.assign({}, ...lists.map((list) => list[index])) as Record<string, unknown>);
  }
}
