import { Get, Inject } from '@nestjs/common';
import { isLoopbackHost } from '../config/addresses.js';
import { Settings } from '../config/settings.js';
import { type Answer } from '../http/answer.js';
import { type ApiRequest } from '../http/api-request.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { forbidden } from '../problem/catalogue.js';
import { Metrics } from './metrics.js';

/** `/metrics` for Prometheus: for anyone on loopback. Others would need a manager's login, and there are no logins yet. */
@SurfaceController('native')
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    @Inject(Settings) private readonly settings: Settings,
  ) {}

  @Get('metrics')
  @Describe({
    summary: 'What an operator can watch',
    description: 'For callers on loopback only.',
    responses: { 200: { description: 'Prometheus text format.' }, 403: { description: 'The caller is elsewhere.' } },
  })
  @Needs('nothing')
  async read(request: ApiRequest): Promise<Answer> {
    if (!this.settings.isLoopback || !isLoopbackHost(request.remoteAddress)) throw forbidden();
    return {
      status: 200,
      headers: ['Content-Type', this.metrics.registry.contentType, 'Cache-Control', 'no-store'],
      body: await this.metrics.registry.metrics(),
    };
  }
}
