import type { Settings } from '@ajs/config';
import type { Log, Metrics } from '@ajs/observability';
import { LoopProgress } from '@ajs/platform';
import { armadaAccess, type ArmadaAccess } from './armada-access.js';
import type { RenewalObserver } from './renewed-identity.js';

export interface LoggedAccessOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface LoggedAccess extends ArmadaAccess {
  /** Of the renewal of the credential: it stands still while there is none that is valid. */
  readonly renewal: LoopProgress;
}

/**
 * {@link armadaAccess} for a running process: logs its warnings, and fetches a first credential at once, so that a problem with it shows
 * at the start. Throws SettingsError.
 */
export function loggedAccess({ settings, log, metrics }: LoggedAccessOptions): LoggedAccess {
  const renewal = new LoopProgress(0);
  const observer = observeRenewals(log, metrics, renewal);
  const access = armadaAccess(settings, { env: process.env, observer });
  for (const warning of access.warnings) log.warn(warning);
  // The observer logs a failure, and calls try again.
  access.identity.authorization().catch(() => undefined);
  return { ...access, renewal };
}

function observeRenewals(log: Log, { credentialRenewals }: Metrics, renewal: LoopProgress): RenewalObserver {
  let failing = false;
  return {
    renewed: () => {
      credentialRenewals.inc({ outcome: 'renewed' });
      if (failing) log.info('renewed the credential for Armada again');
      failing = false;
      renewal.idle();
    },
    failed: (error, stillValid) => {
      failing = true;
      credentialRenewals.inc({ outcome: 'failed' });
      if (!stillValid) {
        if (renewal.standstill === undefined) renewal.moved();
        renewal.failed(new Error('no valid credential for Armada; the log says why'));
      }
      if (stillValid)
        log.warn({ err: error }, 'could not renew the credential for Armada; the current one is still valid');
      else
        log.error(
          { err: error },
          'could not obtain a credential for Armada; calls to Armada fail until there is one',
        );
    },
  };
}
