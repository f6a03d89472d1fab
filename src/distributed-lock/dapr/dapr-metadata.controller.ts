import { isUtf8 } from 'node:buffer';
import { Get, Put } from '@nestjs/common';
import { type Answer, emptyAnswer } from '../../http/answer.js';
import { daprJsonAnswer } from '../../http/dapr/dapr-json.js';
import { malformedRequest } from '../../http/dapr/dapr-problem.js';
import { DaprRequest } from '../../http/dapr/dapr-request.js';
import { Needs, SurfaceController } from '../../http/surface-controller.decorator.js';
import { Describe } from '../../openapi/describe.decorator.js';
import { GET_METADATA, PUT_METADATA } from './dapr.openapi.js';
import { DaprMetadataService } from './dapr-metadata.service.js';

/** `/v1.0/metadata`: the JavaScript SDK makes no call before it has answered (contract section 7). */
@SurfaceController('dapr')
export class DaprMetadataController {
  constructor(private readonly metadata: DaprMetadataService) {}

  @Get('v1.0/metadata')
  @Describe(GET_METADATA)
  @Needs('surface')
  async read(): Promise<Answer> {
    return daprJsonAnswer(200, await this.metadata.describe());
  }

  /** The body is the value as it stands, whatever its type. */
  @Put('v1.0/metadata/:key')
  @Describe(PUT_METADATA)
  @Needs('surface')
  async put(request: DaprRequest): Promise<Answer> {
    if (!isUtf8(request.body)) throw malformedRequest('metadata value is not UTF-8');
    const fault = await this.metadata.setLabel(request.pathParameter('key'), request.body.toString('utf8'));
    if (fault !== null) throw malformedRequest(fault);
    return emptyAnswer(204);
  }
}
