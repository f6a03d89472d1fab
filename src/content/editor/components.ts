import { Injectable, type OnModuleInit } from '@nestjs/common';
import { mayOnContent } from '../../auth/content-access.js';
import { badRequest } from '../../http/content/content-problem.js';
import { type ContentRequest } from '../../http/content/content-request.js';
import { type QueryString } from '../../http/query-string.js';
import { ContentHooks } from '../content-hooks.js';
import { ADDABLE_TYPES, type ContentObject, isFolderish } from '../content-object.js';
import { REVIEW_STATE, summaryJson } from '../content.answers.js';
import { ContentRepository } from '../content.repository.js';
import { actionsOn } from './actions.js';
import { type NavigationEntry, NavigationRepository } from './navigation.repository.js';
import { titleOf, unsavedMembers } from './type-schema.js';

/** Views of an object that can be had together with it: `GET {object}?expand=breadcrumbs,navigation`. */
const NAMES = ['actions', 'breadcrumbs', 'navigation', 'navroot', 'types'] as const;
export type ComponentName = (typeof NAMES)[number];

/** Levels of the navigation beyond which nothing is shown, whatever is asked for. */
const MAX_NAVIGATION_DEPTH = 10;

const NOTHING: ReadonlySet<string> = new Set();

/** What surrounds an object in an editor, in Plone's shapes: each is a view of its own and a part of the object's answer. */
@Injectable()
export class Components implements OnModuleInit {
  private readonly makers: Readonly<
    Record<ComponentName, (object: ContentObject, request: ContentRequest) => object | Promise<object>>
  > = {
    actions: (object, request) => this.actions(object, request),
    breadcrumbs: (object, request) => this.breadcrumbs(object, request),
    navigation: (object, request) => this.navigation(object, request),
    navroot: (object, request) => this.navroot(object, request),
    types: (object, request) => this.types(object, request),
  };

  constructor(
    private readonly repository: ContentRepository,
    private readonly navigationEntries: NavigationRepository,
    private readonly hooks: ContentHooks,
  ) {}

  onModuleInit(): void {
    this.hooks.addSerializer((objects, request) =>
      Promise.all(
        objects.map(async (object) => ({
          ...unsavedMembers(object.type, object.fields),
          '@components': await this.componentsOf(object, request),
        })),
      ),
    );
  }

  async make(name: ComponentName, object: ContentObject, request: ContentRequest): Promise<object> {
    return this.makers[name](object, request);
  }

  /** Links, and in their place what the query wants expanded of the object that a GET is about. */
  private async componentsOf(object: ContentObject, request: ContentRequest): Promise<Record<string, object>> {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const wanted = isRead && isSamePath(object, request) ? wantedNames(request.query) : NOTHING;
    const made = await Promise.all(
      NAMES.map(async (name) =>
        wanted.has(name) ? this.make(name, object, request) : { '@id': viewUrl(object, name, request) },
      ),
    );
    return Object.fromEntries(NAMES.map((name, index) => [name, made[index]!]));
  }

  private actions(object: ContentObject, request: ContentRequest): object {
    const actions = actionsOn(object, (access) => mayOnContent(request.principal, access));
    return { '@id': viewUrl(object, 'actions', request), ...actions };
  }

  /** From below the root down to the object itself. */
  private async breadcrumbs(object: ContentObject, request: ContentRequest): Promise<object> {
    const { ancestors } = await this.repository.findByUid(object.uid);
    const items = [...ancestors, object].filter(({ path }) => path.length > 0);
    return {
      '@id': viewUrl(object, 'breadcrumbs', request),
      root: request.urlOf([]),
      items: items.map(({ path, title }) => ({ '@id': request.urlOf(path), title })),
    };
  }

  /** Of the whole site, wherever it is asked for; `Home` comes first, as in Plone. */
  private async navigation(object: ContentObject, request: ContentRequest): Promise<object> {
    const entries = await this.navigationEntries.list(navigationDepth(request.query));
    const home = { '@id': request.urlOf([]), title: 'Home', description: '', review_state: null, items: [] };
    return {
      '@id': viewUrl(object, 'navigation', request),
      items: [home, ...entries.map((entry) => navigationItem(entry, request))],
    };
  }

  private async navroot(object: ContentObject, request: ContentRequest): Promise<object> {
    const root = object.path.length === 0 ? object : (await this.repository.findByPath([])).object!;
    return { '@id': viewUrl(object, 'navroot', request), navroot: summaryJson(root, request) };
  }

  /** What can be added; whether it can be right here depends on the object and on who asks. */
  private types(object: ContentObject, request: ContentRequest): object {
    const isAddable = isFolderish(object) && mayOnContent(request.principal, 'add');
    return ADDABLE_TYPES.map((type) => ({
      '@id': `${viewUrl(object, 'types', request)}/${encodeURIComponent(type)}`,
      id: type,
      title: titleOf(type),
      addable: isAddable,
      immediately_addable: isAddable,
    }));
  }
}

const viewUrl = (object: ContentObject, name: ComponentName, request: ContentRequest): string =>
  `${request.urlOf(object.path)}/@${name}`;

const isSamePath = ({ path }: ContentObject, { objectPath }: ContentRequest): boolean =>
  path.length === objectPath.length && path.every((id, index) => id === objectPath[index]);

/** Clients write one list with commas, or a parameter for each name, with or without the suffix that Zope's forms have. */
function wantedNames(query: QueryString): ReadonlySet<string> {
  const lists = [...query.all('expand'), ...query.all('expand:list')];
  return new Set(lists.flatMap((list) => list.split(',')).map((name) => name.trim()));
}

/** @throws 400 */
function navigationDepth(query: QueryString): number {
  const text = query.first('expand.navigation.depth') ?? query.first('depth') ?? '1';
  if (!/^[0-9]{1,9}$/.test(text)) throw badRequest(`The depth of the navigation must be a whole number.`);
  return Math.min(Math.max(1, Number(text)), MAX_NAVIGATION_DEPTH);
}

function navigationItem(entry: NavigationEntry, request: ContentRequest): object {
  return {
    '@id': request.urlOf(entry.path),
    title: entry.title,
    description: entry.description,
    review_state: REVIEW_STATE,
    items: entry.children.map((child) => navigationItem(child, request)),
  };
}
