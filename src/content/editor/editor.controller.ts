import { Get } from '@nestjs/common';
import { ContentAuthGuard } from '../../auth/content-auth.guard.js';
import { type Answer } from '../../http/answer.js';
import { ContentRequest } from '../../http/content/content-request.js';
import { decodePathSegment } from '../../http/query-string.js';
import { Needs, SurfaceController } from '../../http/surface-controller.decorator.js';
import { Describe } from '../../openapi/describe.decorator.js';
import { notFound } from '../../problem/catalogue.js';
import { ContentService } from '../content.service.js';
import { type ComponentName, Components } from './components.js';
import { viewAnswer } from './editor.answers.js';
import {
  GET_ACTIONS,
  GET_BREADCRUMBS,
  GET_NAVIGATION,
  GET_NAVROOT,
  GET_SITE,
  GET_TYPE,
  LIST_TYPES,
} from './editor.openapi.js';
import { schemaOf } from './type-schema.js';

/** What an editor asks for beside the object that it shows or edits (content contract section 8). */
@SurfaceController('content', ContentAuthGuard)
export class EditorController {
  constructor(
    private readonly content: ContentService,
    private readonly components: Components,
  ) {}

  @Get('@actions')
  @Describe(GET_ACTIONS)
  @Needs('view')
  actions(request: ContentRequest): Promise<Answer> {
    return this.component('actions', request);
  }

  @Get('@breadcrumbs')
  @Describe(GET_BREADCRUMBS)
  @Needs('view')
  breadcrumbs(request: ContentRequest): Promise<Answer> {
    return this.component('breadcrumbs', request);
  }

  @Get('@navigation')
  @Describe(GET_NAVIGATION)
  @Needs('view')
  navigation(request: ContentRequest): Promise<Answer> {
    return this.component('navigation', request);
  }

  @Get('@navroot')
  @Describe(GET_NAVROOT)
  @Needs('view')
  navroot(request: ContentRequest): Promise<Answer> {
    return this.component('navroot', request);
  }

  /** As in Plone, what can be added is told to those only who are known. */
  @Get('@types')
  @Describe(LIST_TYPES)
  @Needs('authenticated')
  types(request: ContentRequest): Promise<Answer> {
    return this.component('types', request);
  }

  @Get('@types/:type')
  @Describe(GET_TYPE)
  @Needs('authenticated')
  async type(request: ContentRequest): Promise<Answer> {
    await this.content.get(request.objectPath, request);
    const schema = schemaOf(decodePathSegment(request.params['type']!));
    if (!schema) throw notFound();
    return viewAnswer(schema);
  }

  @Get('@site')
  @Describe(GET_SITE)
  @Needs('view')
  async site(request: ContentRequest): Promise<Answer> {
    await this.content.get(request.objectPath, request);
    const { title } = await this.content.get([], request);
    return viewAnswer({
      '@id': `${request.baseUrl}/@site`,
      'plone.site_title': title,
      'plone.site_logo': null,
      'plone.robots_txt': '',
      'plone.default_language': 'en',
      'plone.available_languages': ['en'],
      'plone.portal_timezone': 'UTC',
    });
  }

  private async component(name: ComponentName, request: ContentRequest): Promise<Answer> {
    const object = await this.content.get(request.objectPath, request);
    return viewAnswer(await this.components.make(name, object, request));
  }
}
