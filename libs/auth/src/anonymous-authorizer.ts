import type { Authorizer, Verdict } from './authorizer.js';

/** Everyone who reaches this service may watch everything. */
export class AnonymousAuthorizer implements Authorizer {
  authenticate(): void {
    // Nobody is asked who they are.
  }

  mayWatch(): Verdict {
    return 'yes';
  }
}
