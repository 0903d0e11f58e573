import type { SetFaultsRequest } from '@ajs/contracts/fakearmada/v1/faults';
import { status } from '@grpc/grpc-js';
import type { ServerErrorResponse } from '@grpc/grpc-js';

export const NO_FAULTS: SetFaultsRequest = {
  unavailable: false,
  hang: false,
  deniedQueues: [],
  missingQueues: [],
  delayMs: 0,
  jobsUnimplemented: false,
  jobsUnavailable: false,
  jobsDenied: false,
  jobsDelayMs: 0,
  mostIds: 0,
  lookoutLagMs: 0,
  eventsStopped: false,
};

/** The current faults, and listeners to their changes. */
export class Faults {
  private current = NO_FAULTS;
  private readonly watchers = new Set<() => void>();

  get now(): SetFaultsRequest {
    return this.current;
  }

  set(faults: Partial<SetFaultsRequest>): void {
    this.current = { ...NO_FAULTS, ...faults };
    for (const watcher of this.watchers) watcher();
  }

  onChange(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}

/** An error as a gRPC handler returns it. */
export function rpcError(
  code: status,
  details: string,
): Partial<ServerErrorResponse> & { code: status; details: string } {
  return Object.assign(new Error(details), { code, details });
}

export const UNAVAILABLE = rpcError(status.UNAVAILABLE, 'the server is shutting down');
