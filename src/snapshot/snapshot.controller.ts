import { Get, Inject, Patch, Put, UseGuards } from '@nestjs/common';
import { AzureAuthGuard } from '../auth/azure-auth.guard.js';
import { Settings } from '../config/settings.js';
import { type Answer, emptyAnswer } from '../http/answer.js';
import { AzureRequest } from '../http/azure/azure-request.js';
import { publicOrigin } from '../http/azure/azure.surface.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { authorFrom, cursorFrom } from '../key-value/key-value.requests.js';
import { decodeNameToken } from '../key-value/rules/continuation-token.js';
import { Describe } from '../openapi/describe.decorator.js';
import { IfMatchGuard } from '../precondition/if-match.guard.js';
import {
  createdAnswer,
  foundSnapshotAnswer,
  operationAnswer,
  snapshotAnswer,
  snapshotsAnswer,
} from './snapshot.answers.js';
import { CREATE_SNAPSHOT, GET_OPERATION, GET_SNAPSHOT, LIST_SNAPSHOTS, UPDATE_SNAPSHOT } from './snapshot.openapi.js';
import {
  snapshotFilterFrom,
  snapshotInputFrom,
  snapshotNameFrom,
  snapshotParameterFrom,
  statusFrom,
} from './snapshot.requests.js';
import { SnapshotService } from './snapshot.service.js';

/** `/snapshots`, `/snapshots/{name}` and `/operations` (contract section 10). */
@SurfaceController('azure', AzureAuthGuard)
export class SnapshotController {
  constructor(
    private readonly service: SnapshotService,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  @Get('snapshots')
  @Describe(LIST_SNAPSHOTS)
  @Needs('read')
  async list(request: AzureRequest): Promise<Answer> {
    const after = cursorFrom(request, decodeNameToken)?.name ?? null;
    return snapshotsAnswer(request, await this.service.list(snapshotFilterFrom(request), after));
  }

  @Get('snapshots/*name')
  @Describe(GET_SNAPSHOT)
  @Needs('read')
  @UseGuards(IfMatchGuard)
  async find(request: AzureRequest): Promise<Answer> {
    return foundSnapshotAnswer(request, await this.service.find(snapshotNameFrom(request)));
  }

  /** Conditions have no meaning here and are not read (contract section 5). */
  @Put('snapshots/*name')
  @Describe(CREATE_SNAPSHOT)
  @Needs('write')
  async create(request: AzureRequest): Promise<Answer> {
    const name = snapshotNameFrom(request);
    const made = await this.service.create(name, snapshotInputFrom(request), authorFrom(request));
    return createdAnswer(request, made, publicOrigin(request, this.settings));
  }

  @Patch('snapshots/*name')
  @Describe(UPDATE_SNAPSHOT)
  @Needs('write')
  @UseGuards(IfMatchGuard)
  async changeStatus(request: AzureRequest): Promise<Answer> {
    const name = snapshotNameFrom(request);
    const status = statusFrom(request);
    return snapshotAnswer(
      request,
      await this.service.changeStatus(name, status, request.condition, authorFrom(request)),
    );
  }

  @Get('operations')
  @Describe(GET_OPERATION)
  @Needs('read')
  async findOperation(request: AzureRequest): Promise<Answer> {
    const snapshot = await this.service.find(snapshotParameterFrom(request));
    return snapshot ? operationAnswer(snapshot) : emptyAnswer(404);
  }
}
