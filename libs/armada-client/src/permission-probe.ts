import type { ArmadaPermissions, ArmadaVerdict } from '@ajs/auth';
import { EventService, type JobSetRequest } from '@ajs/contracts/api/event';
import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import type { ChannelPool } from './channel-pool.js';
import { callUnary } from './unary-call.js';

/** Armada responds in about a millisecond. */
const DEADLINE_MS = 5_000;
/** Beyond the end of any stream: a read from here passes all of Armada's checks and brings nothing. */
const FAR_END = '9999999999999:0:0:1';
/** The permission is the queue's, whatever the job set. */
const ANY_JOB_SET = 'armada-job-service-permission-check';

/** What a read's status says of the caller's right to watch; any other one says nothing of it. */
const VERDICTS: ReadonlyMap<status, ArmadaVerdict> = new Map([
  [status.OK, 'yes'],
  [status.PERMISSION_DENIED, 'no'],
  [status.NOT_FOUND, 'no-queue'],
  [status.UNAUTHENTICATED, 'bad-credentials'],
]);

/**
 * Finds out what Armada lets a caller do, by calls with exactly the caller's `authorization`, or with none: the channels must add no
 * credentials. Errors name the status alone, since Armada's text may repeat what the caller sent.
 */
export class PermissionProbe implements ArmadaPermissions {
  constructor(
    private readonly channels: ChannelPool,
    private readonly deadlineMs = DEADLINE_MS,
  ) {}

  async authenticates(authorization: string | undefined): Promise<'yes' | 'bad-credentials'> {
    try {
      await callUnary(this.channels, EventService.health, {}, this.deadlineMs, metadataOf(authorization));
      return 'yes';
    } catch (error) {
      const { code } = error as ServiceError;
      if (code === status.UNAUTHENTICATED) return 'bad-credentials';
      throw this.noVerdict(code);
    }
  }

  async mayWatch(authorization: string | undefined, queue: string): Promise<ArmadaVerdict> {
    const code = await this.read(authorization, queue);
    const verdict = VERDICTS.get(code);
    if (verdict === undefined) throw this.noVerdict(code);
    return verdict;
  }

  /** The status of a read of the queue. */
  private async read(authorization: string | undefined, queue: string): Promise<status> {
    const { client, release } = this.channels.acquire();
    const { path, requestSerialize, responseDeserialize } = EventService.getJobSetEvents;
    try {
      const request: JobSetRequest = {
        queue,
        id: ANY_JOB_SET,
        fromMessageId: FAR_END,
        watch: false,
        errorIfMissing: false,
      };
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadataOf(authorization),
        { deadline: Date.now() + this.deadlineMs },
      );
      return await new Promise((resolve) => {
        call.on('status', ({ code }: StatusObject) => resolve(code));
        // The status says all that the error does; without a listener the error would end the process.
        call.on('error', () => undefined);
        // Data is sent only to a caller that may watch.
        call.on('data', () => {
          resolve(status.OK);
          call.cancel();
        });
      });
    } finally {
      release();
    }
  }

  private noVerdict(code: status): Error {
    return new Error(
      code === status.DEADLINE_EXCEEDED
        ? `no answer within ${this.deadlineMs / 1000} s`
        : `the check failed with ${status[code]}`,
    );
  }
}

function metadataOf(authorization: string | undefined): Metadata {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  return metadata;
}
