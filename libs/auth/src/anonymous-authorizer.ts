import type { Authorizer, Verdict } from './authorizer.js';

/** Anyone who can reach this service may watch everything. */
export class AnonymousAuthorizer implements Authorizer {
  identityOf(): undefined {
    return undefined;
  }

  authenticate(): void {
    // Everybody may call.
  }

  mayWatch(): Verdict {
    return 'yes';
  }
}
