import { Delete, Get, Patch, Post } from '@nestjs/common';
import { ContentAuthGuard } from '../auth/content-auth.guard.js';
import { AuditLog } from '../events/audit-log.js';
import { type Answer, emptyAnswer } from '../http/answer.js';
import { notAllowed } from '../http/content/content-problem.js';
import { ContentRequest } from '../http/content/content-request.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { Problem } from '../problem/problem.js';
import { ChangesContent } from './changes-content.decorator.js';
import { isFolderish } from './content-object.js';
import { ContentSerializer } from './content-serializer.js';
import { changedAnswer, changedObjectAnswer, createdAnswer, objectAnswer, placedAnswer } from './content.answers.js';
import { ADD_OBJECT, CHANGE_OBJECT, COPY_OBJECTS, GET_OBJECT, MOVE_OBJECTS, REMOVE_OBJECT } from './content.openapi.js';
import { ContentService } from './content.service.js';
import { type Batch, parseBatch } from './rules/batch.js';
import { parseChanges, parseNewContent } from './rules/content-input.js';
import { parseSources } from './rules/source.js';
import { versionsFrom } from './rules/version-match.js';

/** Objects of the content tree: the path of a request names one, its ids decoded in `objectPath` (content contract section 8). */
@SurfaceController('content', ContentAuthGuard)
export class ContentController {
  constructor(
    private readonly content: ContentService,
    private readonly serializer: ContentSerializer,
    private readonly auditLog: AuditLog,
  ) {}

  @Get('object')
  @Describe(GET_OBJECT)
  @Needs('view')
  async find(request: ContentRequest): Promise<Answer> {
    const object = await this.content.get(request.objectPath, request);
    const batch = isFolderish(object) ? parseBatch(request.query) : null;
    return objectAnswer(object, await this.serializer.serialize(object, batch, request), request);
  }

  @Post('object')
  @Describe(ADD_OBJECT)
  @Needs('add')
  @ChangesContent('nothing')
  async add(request: ContentRequest): Promise<Answer> {
    const { name, role } = request.principal;
    const content = parseNewContent(request.body);
    const batch = parseBatch(request.query);
    if (content.uid !== null && role !== 'manager') {
      this.auditLog.refused(request, 'content');
      throw notAllowed('Setting the UID of an object needs the role manager.');
    }
    const object = await this.content.add(request.objectPath, content, name, request);
    return createdAnswer(object, await this.serializer.serializeNew(object, batch, request), request);
  }

  @Patch('object')
  @Describe(CHANGE_OBJECT)
  @Needs('modify')
  @ChangesContent('object')
  async change(request: ContentRequest): Promise<Answer> {
    const { objectPath, changeClaim } = request;
    const versions = versionsFrom(request.header('if-match'));
    const changes = parseChanges(request.body);
    const isShown = request.prefers('return', 'representation');
    const batch = isShown ? parseBatch(request.query) : null;
    const { uid, version } = await this.content.change(objectPath, changes, versions, changeClaim, request);
    return (isShown ? await this.show(uid, batch, request) : null) ?? changedAnswer(version);
  }

  @Delete('object')
  @Describe(REMOVE_OBJECT)
  @Needs('delete')
  @ChangesContent('object')
  async remove(request: ContentRequest): Promise<Answer> {
    const { objectPath, changeClaim } = request;
    await this.content.remove(objectPath, versionsFrom(request.header('if-match')), changeClaim, request);
    return emptyAnswer(204);
  }

  @Post('@move')
  @Describe(MOVE_OBJECTS)
  @Needs('add')
  @ChangesContent('source')
  async move(request: ContentRequest): Promise<Answer> {
    const { objectPath, changeClaim, baseUrl } = request;
    const sources = parseSources(request.body, baseUrl);
    return placedAnswer(await this.content.move(objectPath, sources, changeClaim, request), request);
  }

  @Post('@copy')
  @Describe(COPY_OBJECTS)
  @Needs('add')
  @ChangesContent('nothing')
  async copy(request: ContentRequest): Promise<Answer> {
    const { objectPath, baseUrl, principal } = request;
    const sources = parseSources(request.body, baseUrl);
    return placedAnswer(await this.content.copy(objectPath, sources, principal.name, request), request);
  }

  /**
   * The object as it was changed. Null when it cannot be shown, for it is gone again or the database is away: the change was made all the
   * same, and the client only prefers to see it.
   */
  private async show(uid: string, batch: Batch | null, request: ContentRequest): Promise<Answer | null> {
    try {
      // Found by its UID: a rename gave it another address.
      const object = await this.content.findByUid(uid);
      return object && changedObjectAnswer(object, await this.serializer.serialize(object, batch, request));
    } catch (error) {
      if (error instanceof Problem) return null;
      throw error;
    }
  }
}
