import type { Authorizer, Verdict } from './authorizer.js';

/** Everyone who reaches this service may watch everything. */
export class AnonymousAuthorizer implements Authorizer {
  authenticate(): Promise<void> {
    return Promise.resolve();
  }

  mayWatch(): Promise<Verdict> {
    return Promise.resolve('yes');
  }
}
