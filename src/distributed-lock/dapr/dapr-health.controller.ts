import { Get, Inject } from '@nestjs/common';
import { Settings } from '../../config/settings.js';
import { Readiness } from '../../health/readiness.js';
import { type Answer, emptyAnswer } from '../../http/answer.js';
import { DaprProblem } from '../../http/dapr/dapr-problem.js';
import { DaprRequest } from '../../http/dapr/dapr-request.js';
import { Needs, SurfaceController } from '../../http/surface-controller.decorator.js';
import { Describe } from '../../openapi/describe.decorator.js';
import { HEALTHZ, OUTBOUND_HEALTHZ } from './dapr.openapi.js';

/** Dapr's health checks, which several of its SDKs wait for before the first call (contract sections 6 and 7). Open to everybody. */
@SurfaceController('dapr')
export class DaprHealthController {
  constructor(
    private readonly readiness: Readiness,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  @Get('v1.0/healthz')
  @Describe(HEALTHZ)
  @Needs('surface')
  async healthz(request: DaprRequest): Promise<Answer> {
    const reason = await this.readiness.check();
    if (reason !== null) throw new DaprProblem('ERR_HEALTH_NOT_READY', 500, `dapr is not ready: [${reason}]`);
    const appId = new URLSearchParams(request.target.slice(request.path.length)).get('appid');
    if (appId !== null && appId !== this.settings.appId) {
      throw new DaprProblem('ERR_HEALTH_APPID_NOT_MATCH', 500, 'dapr app-id does not match');
    }
    return emptyAnswer(204);
  }

  /** In Dapr this one is about its components alone; ours are all in the one database. */
  @Get('v1.0/healthz/outbound')
  @Describe(OUTBOUND_HEALTHZ)
  @Needs('surface')
  async outbound(): Promise<Answer> {
    if ((await this.readiness.check()) === null) return emptyAnswer(204);
    throw new DaprProblem('ERR_OUTBOUND_HEALTH_NOT_READY', 500, 'dapr outbound is not ready');
  }
}
