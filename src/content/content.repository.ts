import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import { Database, type Row } from '../database/database.js';
import { fromStoredText, toStoredText } from '../database/stored-text.js';
import { type ChangeClaim } from '../http/content/change-claim.js';
import { RESERVED_SEGMENTS } from '../http/content/reserved-segments.js';
import { ContentHooks, type Verdict } from './content-hooks.js';
import { type ContentObject, type ContentSummary } from './content-object.js';
import { ContentObjectEntity } from './content-object.entity.js';
import {
  COPY,
  CREATE,
  FIND_BY_PATH,
  FIND_BY_UID,
  type GuardedStatements,
  guardedStatements,
  LIST_CHILDREN,
} from './content.sql.js';
import { type ContentChanges, type NewContent } from './rules/content-input.js';
import { fromStoredFields, toStoredFields } from './stored-fields.js';

/** What a path led to: the object, if there is one, and what stands above it, from the root down. */
export interface Located {
  readonly object: ContentObject | null;
  readonly ancestors: readonly ContentSummary[];
}

export interface CreateResult {
  readonly outcome: 'done' | 'gone' | 'id-taken' | 'uid-taken' | 'too-deep' | 'too-large';
  readonly object: ContentObject | null;
}

export interface UpdateResult {
  readonly verdict: Verdict;
  /** Whether the version was one of those that were asked for. */
  readonly holds: boolean;
  /** Null when verdict or condition stood in the way. */
  readonly outcome: 'done' | 'id-taken' | 'too-large' | 'unknown-child' | 'ordering-mismatch' | null;
  readonly version: string | null;
}

export interface RemoveResult {
  readonly verdict: Verdict;
  readonly holds: boolean;
  /** Uids of the first locked objects, nearest first. */
  readonly inTheWay: readonly string[];
  /** Null when verdict or condition stood in the way. */
  readonly outcome: 'done' | 'too-many' | null;
}

export interface MovedObject {
  readonly uid: string;
  readonly verdict: Verdict;
  /** Null when a verdict, this one or another source's, stood in the way. */
  readonly outcome: 'done' | 'gone' | 'cycle' | 'too-deep' | null;
  readonly newId: string | null;
}

export interface CopiedObject {
  readonly outcome: 'done' | 'gone' | 'source-gone' | 'too-many' | 'too-deep';
  readonly source: string | null;
  readonly newId: string | null;
}

/** `If-Match` as the statements take it: versions as decimal text, null for any. */
export type Versions = readonly string[] | null;

/** Bytes of all free fields of one object as they are stored: changes could add up, and `1e20` in a body is stored as 21 digits. */
export const MAX_FIELDS_BYTES = 2048 * 1024;
/** Objects that one copy makes, those below its sources included; more would not end within a statement's time. */
export const MAX_COPIED_OBJECTS = 5_000;
/** Objects that one removal takes away, for the same reason. */
export const MAX_REMOVED_OBJECTS = 20_000;
/** Levels below the root. With the longest of ids an address still fits into the target of a request, with a view and a query behind it. */
export const MAX_LEVELS = 50;

/** Edge to the table of the content tree. Each method is one statement; what a change met is for the service to judge. */
@Injectable()
export class ContentRepository extends Repository<ContentObjectEntity> {
  private guarded: GuardedStatements | undefined;

  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly database: Database,
    private readonly hooks: ContentHooks,
  ) {
    super(ContentObjectEntity, dataSource.createEntityManager());
  }

  async findByPath(path: readonly string[]): Promise<Located> {
    // PostgreSQL would refuse U+0000, and no id has it: the walk ends there.
    const nul = path.findIndex((id) => id.includes('\0'));
    const known = nul < 0 ? path : path.slice(0, nul);
    const rows = await this.database.query(FIND_BY_PATH, [known]);
    const summaries = rows.map((row, depth) => toSummary(row, path.slice(0, depth)));
    if (rows.length <= path.length) return { object: null, ancestors: summaries };
    return located(rows, summaries);
  }

  async findByUid(uid: string): Promise<Located> {
    const rows = await this.database.query(FIND_BY_UID, [uid]);
    if (rows.length === 0) return { object: null, ancestors: [] };
    // The root's own id is no part of an address.
    const path = rows.slice(1).map((row) => row[1] as string);
    return located(
      rows,
      rows.map((row, depth) => toSummary(row, path.slice(0, depth))),
    );
  }

  /** Children in their order. `total` counts all of them. */
  async listChildren(
    folder: ContentSummary,
    start: number,
    size: number,
  ): Promise<{ total: number; items: ContentSummary[] }> {
    const rows = await this.database.query(LIST_CHILDREN, [folder.uid, start, size, false]);
    return { total: totalOf(rows), items: itemsOf(rows).map((row) => toSummary(row, childPath(folder, row))) };
  }

  /** The same with everything that the objects have. */
  async listFullChildren(
    folder: ContentSummary,
    start: number,
    size: number,
  ): Promise<{ total: number; items: ContentObject[] }> {
    const rows = await this.database.query(LIST_CHILDREN, [folder.uid, start, size, true]);
    const items = itemsOf(rows).map((row) => toObject(row, toSummary(row, childPath(folder, row)), folder));
    return { total: totalOf(rows), items };
  }

  /** Adds a child; its id is `wanted.id` itself, or the first free one made of it. */
  async add(
    uid: string,
    parent: ContentObject,
    content: NewContent,
    id: string,
    isExact: boolean,
    user: string,
  ): Promise<CreateResult> {
    const { type, title, description, fields } = content;
    const storedFields = toStoredFields(fields);
    if (Buffer.byteLength(storedFields) > MAX_FIELDS_BYTES) return { outcome: 'too-large', object: null };
    const [row] = await this.database.query(CREATE, [
      uid,
      parent.uid,
      id,
      isExact,
      RESERVED_SEGMENTS,
      type,
      toStoredText(title),
      toStoredText(description),
      storedFields,
      user,
      MAX_LEVELS,
    ]);
    const [outcome, newId, version, created] = row as [CreateResult['outcome'], string, string, string];
    if (outcome !== 'done') return { outcome, object: null };
    const path = [...parent.path, newId];
    const object = {
      uid,
      id: newId,
      type,
      title,
      description,
      created,
      modified: created,
      path,
      parent,
      fields,
      version,
    };
    return { outcome, object: { ...object, createdBy: user } };
  }

  /** Null when the object is gone. Without any change in `changes` a holder's lock is refreshed and nothing else happens. */
  async change(
    uid: string,
    changes: ContentChanges,
    versions: Versions,
    claim: ChangeClaim,
  ): Promise<UpdateResult | null> {
    const { id, title, description, fields, clearedFields, ordering } = changes;
    const [row] = await this.database.query(this.statements.update, [
      uid,
      claim.user,
      claim.token,
      claim.releaseAfter,
      versions,
      id,
      title === null ? null : toStoredText(title),
      description === null ? null : toStoredText(description),
      [...Object.keys(fields), ...clearedFields].map(toStoredText),
      toStoredFields(fields),
      MAX_FIELDS_BYTES,
      ordering?.child ?? null,
      ordering === null ? null : String(ordering.delta),
      ordering?.subset ?? null,
    ]);
    if (!row) return null;
    const [verdict, holds, outcome, version] = row as [Verdict, boolean, UpdateResult['outcome'], string | null];
    return { verdict, holds, outcome, version };
  }

  /** Removes the object with everything below it, or nothing; null when it is gone. */
  async removeSubtree(uid: string, versions: Versions, claim: ChangeClaim): Promise<RemoveResult | null> {
    const [row] = await this.database.query(this.statements.remove, [
      uid,
      ...claimValues(claim),
      versions,
      MAX_REMOVED_OBJECTS,
    ]);
    if (!row) return null;
    const [verdict, holds, inTheWay, outcome] = row as [Verdict, boolean, string[] | null, RemoveResult['outcome']];
    return { verdict, holds, inTheWay: inTheWay ?? [], outcome };
  }

  /** Moves all sources or none; those that are gone are missing in the answer. */
  async move(sources: readonly string[], target: string, claim: ChangeClaim): Promise<MovedObject[]> {
    const rows = await this.database.query(this.statements.move, [sources, ...claimValues(claim), target, MAX_LEVELS]);
    return rows.map((row) => {
      const [uid, verdict, outcome, newId] = row as [string, Verdict, MovedObject['outcome'], string | null];
      return { uid, verdict, outcome, newId };
    });
  }

  /** Copies all sources or none. */
  async copy(sources: readonly string[], target: string, user: string): Promise<CopiedObject[]> {
    const rows = await this.database.query(COPY, [sources, target, user, MAX_COPIED_OBJECTS, MAX_LEVELS]);
    return rows.map((row) => {
      const [outcome, source, , newId] = row as [CopiedObject['outcome'], string | null, string | null, string | null];
      return { outcome, source, newId };
    });
  }

  private get statements(): GuardedStatements {
    return (this.guarded ??= guardedStatements(this.hooks.guard));
  }
}

const claimValues = ({ user, token, releaseAfter }: ChangeClaim): unknown[] => [user, token, releaseAfter];

const totalOf = (rows: readonly Row[]): number => Number(rows[0]![10]);

/** An empty page is one row that has the total and no object. */
const itemsOf = (rows: readonly Row[]): readonly Row[] => (rows[0]![0] === null ? [] : rows);

const childPath = (folder: ContentSummary, row: Row): readonly string[] => [...folder.path, row[1] as string];

/** @param rows from the root down to the object, which comes in full */
function located(rows: readonly Row[], summaries: readonly ContentSummary[]): Located {
  return {
    object: toObject(rows.at(-1)!, summaries.at(-1)!, summaries.at(-2) ?? null),
    ancestors: summaries.slice(0, -1),
  };
}

function toSummary(row: Row, path: readonly string[]): ContentSummary {
  const [uid, id, type, title, description, created, modified] = row as string[];
  return {
    uid: uid!,
    id: id!,
    type: type!,
    title: fromStoredText(title!),
    description: fromStoredText(description!),
    created: created!,
    modified: modified!,
    path,
  };
}

function toObject(row: Row, summary: ContentSummary, parent: ContentSummary | null): ContentObject {
  const [fields, version, createdBy] = row.slice(7) as string[];
  return { ...summary, parent, fields: fromStoredFields(fields!), version: version!, createdBy: createdBy! };
}
