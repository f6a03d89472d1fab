import { Get } from '@nestjs/common';
import { NativeAuthGuard } from '../auth/native-auth.guard.js';
import { type Answer } from '../http/answer.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { Metrics } from './metrics.js';

/** `/metrics` for Prometheus: for managers, and for anyone on loopback. */
@SurfaceController('native', NativeAuthGuard)
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get('metrics')
  @Describe({
    summary: 'What an operator can watch',
    description: 'For managers, and for callers on loopback.',
    responses: {
      200: { description: 'Prometheus text format.' },
      401: { description: 'The caller is elsewhere and not logged in.' },
      403: { description: 'The caller is elsewhere and no manager.' },
    },
  })
  @Needs('metrics')
  async read(): Promise<Answer> {
    return {
      status: 200,
      headers: ['Content-Type', this.metrics.registry.contentType, 'Cache-Control', 'no-store'],
      body: await this.metrics.read(),
    };
  }
}
