import type { Metadata } from '@grpc/grpc-js';
import { Controller, UseFilters } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { DAPR_PRINCIPAL } from '../../auth/principal.js';
import { type LeaseAuthor } from '../../lease/lease.js';
import { LockStores } from '../../lease/lock-stores.js';
import { AccessLog } from '../../logging/access-log.js';
import { DaprMetadataService } from '../dapr/dapr-metadata.service.js';
import {
  checkLock,
  checkUnlock,
  GrpcCode,
  type LockCall,
  lockFailed,
  type LockRefusal,
  publicCause,
  type UnlockCall,
  UNLOCK_STATUS,
  unlockFailed,
} from '../dapr/lock-checks.js';
import { DistributedLockService } from '../distributed-lock.service.js';
import { callId, type GrpcCall, loggedCall } from './grpc-call.js';
import { GrpcStatus, GrpcStatusFilter } from './grpc-status.js';

/** Dapr's calls over gRPC. Messages are those of `dapr.proto`, their names in camel case, absent fields at protobuf's defaults. */
@Controller()
@UseFilters(GrpcStatusFilter)
export class DaprGrpcController {
  constructor(
    private readonly locks: DistributedLockService,
    private readonly stores: LockStores,
    private readonly metadata: DaprMetadataService,
    private readonly accessLog: AccessLog,
  ) {}

  @GrpcMethod('Dapr', 'TryLockAlpha1')
  async tryLock(request: LockCall, metadata: Metadata, call: GrpcCall): Promise<{ success?: true }> {
    const { store, refusal } = checkLock(request, this.stores);
    if (refusal) throw GrpcStatus.of(refusal);
    const lease = {
      owner: request.lockOwner,
      ttlMs: request.expiryInSeconds * 1000,
      metadata: null,
      idempotencyKey: null,
    };
    const taking = this.locks.tryAcquire(store, request.resourceId, lease, authorOf(metadata));
    const { isGranted } = await this.orFail(taking, lockFailed, call);
    // As protobuf writes it elsewhere, a default is no byte at all.
    return isGranted ? { success: true } : {};
  }

  @GrpcMethod('Dapr', 'UnlockAlpha1')
  async unlock(request: UnlockCall, metadata: Metadata, call: GrpcCall): Promise<{ status?: number }> {
    const { store, refusal } = checkUnlock(request, this.stores);
    if (refusal) throw GrpcStatus.of(refusal);
    const claim = { owner: request.lockOwner, fence: null };
    const releasing = this.locks.release(store, request.resourceId, claim, authorOf(metadata));
    const outcome = await this.orFail(releasing, unlockFailed, call);
    return outcome === 'released' ? {} : { status: UNLOCK_STATUS[outcome] };
  }

  /** Dapr's clients ask this before their first call. */
  @GrpcMethod('Dapr', 'GetMetadata')
  async getMetadata(): Promise<object> {
    const { components, extended, ...rest } = await this.metadata.describe();
    return { ...rest, registeredComponents: components, extendedMetadata: extended };
  }

  @GrpcMethod('Dapr', 'SetMetadata')
  async setMetadata({ key, value }: { key: string; value: string }): Promise<object> {
    const fault = await this.metadata.setLabel(key, value);
    if (fault !== null) throw new GrpcStatus(GrpcCode.INVALID_ARGUMENT, fault);
    return {};
  }

  /** The log gets the error, the client what it may know of it. */
  private async orFail<T>(work: Promise<T>, failed: (cause: string) => LockRefusal, call: GrpcCall): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.accessLog.failure(loggedCall(call.metadata, call.getPath(), call.getPeer()), error);
      throw GrpcStatus.of(failed(publicCause(error)));
    }
  }
}

const authorOf = (metadata: Metadata): LeaseAuthor => ({ actor: DAPR_PRINCIPAL.name, requestId: callId(metadata) });
