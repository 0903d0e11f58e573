import { ArmadaJobsError, type ArmadaJobs, type SharedArmadaJobs } from '@ajs/armada-client';
import { status } from '@grpc/grpc-js';
import type { Caller } from '../caller.js';
import { RpcError } from '../rpc-error.js';

/** Armada's own `api.Jobs`, asked on behalf of a caller: in its turn, while its call counts as waiting. */
export type ArmadaFor = (caller: Caller) => ArmadaJobs;

/** Waits within the work on a call. Rejects with RESOURCE_EXHAUSTED at the limit. */
type Waiting = <T>(caller: Caller, work: () => Promise<T>) => Promise<T>;

export function armadaFor(armada: SharedArmadaJobs, waiting: Waiting): ArmadaFor {
  return (caller) => new WaitingJobs(armada, waiting, caller);
}

/** Made for each call, most of which do not need it. */
class WaitingJobs implements ArmadaJobs {
  constructor(
    private readonly armada: SharedArmadaJobs,
    private readonly waiting: Waiting,
    private readonly caller: Caller,
  ) {}

  status(...args: Parameters<ArmadaJobs['status']>): ReturnType<ArmadaJobs['status']> {
    return this.wait((jobs) => jobs.status(...args));
  }

  details(...args: Parameters<ArmadaJobs['details']>): ReturnType<ArmadaJobs['details']> {
    return this.wait((jobs) => jobs.details(...args));
  }

  errors(...args: Parameters<ArmadaJobs['errors']>): ReturnType<ArmadaJobs['errors']> {
    return this.wait((jobs) => jobs.errors(...args));
  }

  byExternalUri(...args: Parameters<ArmadaJobs['byExternalUri']>): ReturnType<ArmadaJobs['byExternalUri']> {
    return this.wait((jobs) => jobs.byExternalUri(...args));
  }

  runDetails(...args: Parameters<ArmadaJobs['runDetails']>): ReturnType<ArmadaJobs['runDetails']> {
    return this.wait((jobs) => jobs.runDetails(...args));
  }

  activeQueues(): ReturnType<ArmadaJobs['activeQueues']> {
    return this.wait((jobs) => jobs.activeQueues());
  }

  private async wait<T>(call: (jobs: ArmadaJobs) => Promise<T>): Promise<T> {
    try {
      return await this.waiting(this.caller, () => call(this.armada.for(this.caller)));
    } catch (error) {
      if (!(error instanceof RpcError && error.code === status.RESOURCE_EXHAUSTED)) throw error;
      // No reason to hide a state that is known (P5), any more than an Armada that does not answer.
      throw new ArmadaJobsError('unavailable', error.details);
    }
  }
}
