import { LeaseLostError, type Lease } from '../sync/lease.js';

/** For specs: a lease that holds until a test says otherwise, and is lost for good then. */
export class ScriptedLease implements Lease {
  held = true;

  isHeld(): boolean {
    return this.held;
  }

  whenHeld(): Promise<void> {
    return this.held ? Promise.resolve() : Promise.reject(new LeaseLostError());
  }
}
