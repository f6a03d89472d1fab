import { Get } from '@nestjs/common';
import { type Answer } from '../http/answer.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { Describe } from '../openapi/describe.decorator.js';
import { Readiness } from './readiness.js';

/** For load balancers and orchestrators; both need no credentials. */
@SurfaceController('native')
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  /** Whether the process lives. Never touches the database: restarting the process would not mend that. */
  @Get('healthz')
  @Describe({ summary: 'Does the process live?', responses: { 200: { description: 'Yes.' } } })
  @Needs('nothing')
  healthz(): Answer {
    return statusAnswer(200, { status: 'ok' });
  }

  /** Whether requests should be sent here. */
  @Get('readyz')
  @Describe({
    summary: 'Should requests be sent here?',
    responses: { 200: { description: 'Yes.' }, 503: { description: 'No; the body says why.' } },
  })
  @Needs('nothing')
  async readyz(): Promise<Answer> {
    const reason = await this.readiness.check();
    return reason === null
      ? statusAnswer(200, { status: 'ready' })
      : statusAnswer(503, { status: 'not-ready', reason });
  }
}

const statusAnswer = (status: number, body: object): Answer => ({
  status,
  headers: ['Content-Type', 'application/json; charset=utf-8', 'Cache-Control', 'no-store'],
  body: JSON.stringify(body),
});
