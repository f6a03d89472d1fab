/** What a list, a breadcrumb or a parent shows of an object. */
export interface ContentSummary {
  /** 32 hexadecimal digits; stays when the object is renamed or moved. */
  readonly uid: string;
  /** Last part of its address. */
  readonly id: string;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  /** ISO 8601 in UTC with whole seconds and `+00:00`. */
  readonly created: string;
  readonly modified: string;
  /** Ids from the site root to the object; empty for the root. */
  readonly path: readonly string[];
}

/** One object of the tree. */
export interface ContentObject extends ContentSummary {
  /** Null for the site root. */
  readonly parent: ContentSummary | null;
  /** Everything else that was sent, by name. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** New with each change and never used twice in the whole tree; decimal text. Entity tags are made of it. */
  readonly version: string;
  readonly createdBy: string;
}

/** The site root has been there since the first migration. */
export const ROOT_UID = '00000000000000000000000000000001';

export const SITE_TYPE = 'Plone Site';
const FOLDERISH: ReadonlySet<string> = new Set([SITE_TYPE, 'Folder']);

/** The types that can be added, everywhere in the tree that takes children. */
export const ADDABLE_TYPES: readonly string[] = ['Document', 'Folder'];

export const isFolderish = ({ type }: Pick<ContentSummary, 'type'>): boolean => FOLDERISH.has(type);
