import 'reflect-metadata';
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Module,
  type NestInterceptor,
  Req,
  Res,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import type { Observable } from 'rxjs';

/**
 * The candidates of ADR 0002, each answering the same 300-byte JSON after the same signature check and without a database,
 * so that what is measured is the way from the node server to the controller's method and back.
 */
const SECRET = Buffer.from('c2VjcmV0', 'base64');
const EMPTY_BODY_HASH = createHash('sha256').update('').digest('base64');
const BODY = Buffer.from(JSON.stringify({ etag: 'x'.repeat(43), key: 'app/name', value: 'v'.repeat(220) }));
const HEADERS = { 'content-type': 'application/json', 'content-length': String(BODY.length) };

export function signature(target: string, date: string, host: string): string {
  return createHmac('sha256', SECRET).update(`GET\n${target}\n${date};${host};${EMPTY_BODY_HASH}`).digest('base64');
}

function isSigned(request: IncomingMessage): boolean {
  const { headers } = request;
  const given = /Signature=(.*)$/.exec(headers.authorization ?? '')?.[1];
  if (!given || Math.abs(Date.parse(headers['x-ms-date'] as string) - Date.now()) > 900_000) return false;
  const expected = signature(request.url!, headers['x-ms-date'] as string, headers.host!);
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

@Injectable()
class SignatureGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (isSigned(context.switchToHttp().getRequest())) return true;
    throw new UnauthorizedException();
  }
}

@Injectable()
class PassInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Controller()
class ReturningController {
  @Get('kv/:key')
  @UseGuards(SignatureGuard)
  get(@Req() _request: IncomingMessage): unknown {
    return JSON.parse(BODY.toString());
  }
}

@Controller()
class RawController {
  @Get('kv/:key')
  @UseGuards(SignatureGuard)
  get(@Req() _request: IncomingMessage, @Res() response: ServerResponse): void {
    response.writeHead(200, HEADERS);
    response.end(BODY);
  }
}

@Controller()
class AnswerController {
  @Get('kv/:key')
  @UseGuards(SignatureGuard)
  get(): { status: number; headers: typeof HEADERS; body: Buffer } {
    return { status: 200, headers: HEADERS, body: BODY };
  }
}

@Module({ controllers: [ReturningController], providers: [SignatureGuard] })
class ReturningModule {}
@Module({ controllers: [RawController], providers: [SignatureGuard] })
class RawModule {}
@Module({ controllers: [AnswerController], providers: [SignatureGuard] })
class AnswerModule {}

type NestHandler = (request: IncomingMessage, response: ServerResponse, next: () => void) => unknown;

/** Nest's own handler (guards, pipes, filter), found by our route table instead of express' router. */
class RouteTableAdapter extends ExpressAdapter {
  private readonly handlers = new Map<string, NestHandler>();

  override get(...args: unknown[]): void {
    this.handlers.set('kv', args.at(-1) as NestHandler);
  }

  override status(response: ServerResponse, statusCode: number): void {
    response.statusCode = statusCode;
  }

  override initHttpServer(): void {
    this.httpServer = createServer((request, response) => {
      const handler = this.handlers.get(request.url!.split('/', 2)[1]!);
      if (handler) handler(request, response, () => undefined);
      else response.writeHead(404).end();
    });
  }
}

class LeanContext {
  constructor(private readonly request: IncomingMessage) {}
  switchToHttp(): this {
    return this;
  }
  getRequest(): IncomingMessage {
    return this.request;
  }
}

/** Straight from the node server to the controller's method; the same guard instances run as functions. */
class DirectAdapter extends ExpressAdapter {
  dispatch!: (request: IncomingMessage, response: ServerResponse) => Promise<void>;

  override initHttpServer(): void {
    this.httpServer = createServer((request, response) => void this.dispatch(request, response));
  }
}

async function direct(): Promise<NestExpressApplication> {
  const adapter = new DirectAdapter();
  const app = await NestFactory.create<NestExpressApplication>(AnswerModule, adapter, { logger: false });
  await app.init();
  const controller = app.get(AnswerController);
  const method = Object.getOwnPropertyDescriptor(AnswerController.prototype, 'get')!.value as object;
  const guardTypes = Reflect.getMetadata('__guards__', method) as (new () => CanActivate)[];
  const guards = guardTypes.map((type) => app.get(type));
  const routes = new Map([['kv', { call: () => controller.get(), guards }]]);
  adapter.dispatch = async (request, response) => {
    const route = routes.get(request.url!.split('/', 2)[1]!);
    if (!route) return void response.writeHead(404).end();
    const context = new LeanContext(request) as unknown as ExecutionContext;
    for (const guard of route.guards) {
      const allowed = guard.canActivate(context);
      if (allowed !== true && !(await allowed)) return void response.writeHead(403).end();
    }
    const answer = route.call();
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  };
  return app;
}

export const candidates: Record<string, (port: number) => Promise<void>> = {
  async bare(port) {
    createServer((_request, response) => {
      response.writeHead(200, HEADERS);
      response.end(BODY);
    }).listen(port);
  },
  async 'bare, signed'(port) {
    createServer((request, response) => {
      response.writeHead(isSigned(request) ? 200 : 401, HEADERS);
      response.end(BODY);
    }).listen(port);
  },
  async 'Nest, usual'(port) {
    const app = await NestFactory.create<NestExpressApplication>(ReturningModule, { logger: false });
    app.useGlobalInterceptors(new PassInterceptor());
    await app.listen(port);
  },
  async 'Nest, lean on express'(port) {
    const app = await NestFactory.create<NestExpressApplication>(RawModule, { logger: false, bodyParser: false });
    app.set('etag', false).disable('x-powered-by');
    app.set('query parser', false);
    await app.listen(port);
  },
  async 'Nest handler, own route table'(port) {
    const app = await NestFactory.create<NestExpressApplication>(RawModule, new RouteTableAdapter(), {
      logger: false,
      bodyParser: false,
    });
    await app.listen(port);
  },
  async 'straight to the method'(port) {
    await (await direct()).listen(port);
  },
};

if (require.main === module) void candidates[process.argv[2]!]!(Number(process.argv[3]));
