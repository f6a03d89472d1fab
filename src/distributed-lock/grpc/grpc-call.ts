import { randomUUID } from 'node:crypto';
import type { Metadata, ServerUnaryCall } from '@grpc/grpc-js';

export type GrpcCall = ServerUnaryCall<unknown, unknown>;

const ids = new WeakMap<Metadata, string>();

/** Identifies a call in logs and in a lock's row. Interceptors and the method see the same metadata object, and so the same id. */
export function callId(metadata: Metadata): string {
  let id = ids.get(metadata);
  if (id === undefined) ids.set(metadata, (id = randomUUID()));
  return id;
}

/** What the access log shows of a call. */
export interface LoggedCall {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly remoteAddress: string;
  header(name: string): string | undefined;
}

/**
 * @param path such as `/dapr.proto.runtime.v1.Dapr/UnlockAlpha1`
 * @param peer address and port of the client
 */
export function loggedCall(metadata: Metadata, path: string, peer: string): LoggedCall {
  return {
    id: callId(metadata),
    method: 'gRPC',
    target: path,
    remoteAddress: peer.slice(0, peer.lastIndexOf(':')),
    header: () => undefined,
  };
}
