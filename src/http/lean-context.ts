import { type ContextType, type ExecutionContext } from '@nestjs/common';
import { type ApiRequest } from './api-request.js';

type HttpArgumentsHost = ReturnType<ExecutionContext['switchToHttp']>;
type RpcArgumentsHost = ReturnType<ExecutionContext['switchToRpc']>;
type WsArgumentsHost = ReturnType<ExecutionContext['switchToWs']>;

/**
 * What a guard sees of a dispatched request: enough of Nest's execution context for guards that only look at the request, at the
 * cost of one small object. The same guard classes therefore run on hot routes and in Nest's own pipeline.
 */
export class LeanContext implements ExecutionContext, HttpArgumentsHost {
  constructor(private readonly request: ApiRequest) {}

  switchToHttp(): HttpArgumentsHost {
    return this;
  }
  getRequest<T>(): T {
    return this.request as T;
  }
  getResponse<T>(): T {
    throw new Error('guards decide; they do not write the answer');
  }
  getNext<T>(): T {
    throw new Error('a dispatched request has no next handler');
  }
  getClass<T>(): T {
    throw new Error('the route of a dispatched request is request.route');
  }
  getHandler(): never {
    throw new Error('the route of a dispatched request is request.route');
  }
  getArgs<T>(): T {
    return [this.request] as T;
  }
  getArgByIndex<T>(): T {
    return this.request as T;
  }
  getType<T extends string = ContextType>(): T {
    return 'http' as T;
  }
  switchToRpc(): RpcArgumentsHost {
    throw new Error('not an RPC request');
  }
  switchToWs(): WsArgumentsHost {
    throw new Error('not a WebSocket request');
  }
}
