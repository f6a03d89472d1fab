import { SITE_TYPE } from '../content-object.js';

/** What an editor's form of one type shows: JSON schema with Plone's `fieldsets` beside it. */
export interface TypeSchema {
  readonly type: 'object';
  readonly title: string;
  readonly description: string;
  readonly required: readonly string[];
  readonly fieldsets: readonly Fieldset[];
  readonly properties: Readonly<Record<string, Property>>;
  /** Ways to show an object that an editor could choose from; there is one. */
  readonly layouts: readonly string[];
}

interface Fieldset {
  readonly id: string;
  readonly title: string;
  readonly fields: readonly string[];
  readonly behavior: string;
}

interface Property {
  readonly type: string;
  readonly title: string;
  readonly description: string;
  /** Plone's name of the kind of field, by which Volto finds a widget; `widget` names one outright. */
  readonly factory: string;
  readonly widget?: string;
  readonly default?: unknown;
  readonly behavior: string;
}

/** Known to editors under these names, which Plone gave them. */
const TITLES: ReadonlyMap<string, string> = new Map([
  ['Document', 'Page'],
  ['Folder', 'Folder'],
  [SITE_TYPE, 'Site'],
]);
const DESCRIPTIONS: ReadonlyMap<string, string> = new Map([
  ['Document', 'A text of its own'],
  ['Folder', 'Holds pages and other folders'],
  [SITE_TYPE, 'The root of the site'],
]);

/** Types whose text is made of blocks: Volto edits those side by side with what they look like. */
const WITH_BLOCKS: ReadonlySet<string> = new Set(['Document', SITE_TYPE]);
/** What such an object shows before anybody saved blocks. Volto's editor needs both members to begin with. */
const NO_BLOCKS: Readonly<Record<string, unknown>> = { blocks: {}, blocks_layout: { items: [] } };

const TITLE: Property = {
  type: 'string',
  title: 'Title',
  description: '',
  factory: 'Text line (String)',
  behavior: 'plone.dublincore',
};
const DESCRIPTION: Property = {
  type: 'string',
  title: 'Summary',
  description: 'Used in item listings and search results.',
  factory: 'Text',
  widget: 'textarea',
  behavior: 'plone.dublincore',
};
const BLOCKS: Property = {
  type: 'dict',
  title: 'Blocks',
  description: '',
  factory: 'JSONField',
  widget: 'json',
  default: NO_BLOCKS['blocks'],
  behavior: 'volto.blocks',
};
const BLOCKS_LAYOUT: Property = { ...BLOCKS, title: 'Blocks Layout', default: NO_BLOCKS['blocks_layout'] };
const SHORT_NAME: Property = {
  type: 'string',
  title: 'Short name',
  description: 'This name will be displayed in the URL.',
  factory: 'Text line (String)',
  behavior: 'plone.shortname',
};
const EXCLUDE_FROM_NAVIGATION: Property = {
  type: 'boolean',
  title: 'Exclude from navigation',
  description: 'If selected, this item will not appear in the navigation tree',
  factory: 'Yes/No',
  default: false,
  behavior: 'plone.excludefromnavigation',
};

export const titleOf = (type: string): string => TITLES.get(type) ?? type;

/** Null for a type that there is not. Free fields need no place in it: they are kept whether a form shows them or not. */
export function schemaOf(type: string): TypeSchema | null {
  if (!TITLES.has(type)) return null;
  const fieldsets = [fieldset('default', 'Default', ['title', 'description'])];
  const properties: Record<string, Property> = { title: TITLE, description: DESCRIPTION };
  if (WITH_BLOCKS.has(type)) {
    fieldsets.push(fieldset('layout', 'Layout', ['blocks', 'blocks_layout']));
    Object.assign(properties, { blocks: BLOCKS, blocks_layout: BLOCKS_LAYOUT });
  }
  // The root has no address of its own to change, and is no entry of the navigation.
  if (type !== SITE_TYPE) {
    fieldsets.push(fieldset('settings', 'Settings', ['id', 'exclude_from_nav']));
    Object.assign(properties, { id: SHORT_NAME, exclude_from_nav: EXCLUDE_FROM_NAVIGATION });
  }
  return {
    type: 'object',
    title: titleOf(type),
    description: DESCRIPTIONS.get(type)!,
    required: ['title'],
    fieldsets,
    properties,
    layouts: [],
  };
}

/** Members that an object shows although nobody ever saved them. */
export function unsavedMembers(type: string, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (!WITH_BLOCKS.has(type)) return {};
  return Object.fromEntries(Object.entries(NO_BLOCKS).filter(([name]) => !Object.hasOwn(fields, name)));
}

const fieldset = (id: string, title: string, fields: readonly string[]): Fieldset => ({
  id,
  title,
  fields,
  behavior: 'plone',
});
