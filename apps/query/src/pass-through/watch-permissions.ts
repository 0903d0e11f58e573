import { expiryOf, refusalText, type ArmadaPermissions } from '@ajs/auth';
import { systemClock, type Clock } from '@ajs/platform';
import { status } from '@grpc/grpc-js';

/** The status that a watch ends with when its caller has lost the permission. */
export interface LostPermission {
  readonly code: status;
  readonly details: string;
}

/**
 * Rechecks the permission of callers while their watches are open: Armada checks a watch when it begins, and never after. Armada is asked
 * with the caller's own credential, which stays in memory while the watch is open and goes nowhere else.
 */
export class WatchPermissions {
  constructor(
    private readonly permissions: Pick<ArmadaPermissions, 'mayWatch'>,
    private readonly checkEveryMs: number,
    private readonly clock: Clock = systemClock,
  ) {}

  /**
   * `lost` is called at most once: when Armada denies the permission, rejects the credential, or the credential has expired. No answer is no
   * denial: the watch goes on. `stop` of the result ends the checks.
   */
  keep(
    authorization: string | undefined,
    queue: string,
    lost: (why: LostPermission) => void,
  ): { readonly stop: () => void } {
    const { clock } = this;
    const expiresAt = expiryOf(authorization) ?? Infinity;
    let cancel: () => void;
    let stopped = false;
    const end = (why: LostPermission): void => {
      if (stopped) return;
      stopped = true;
      lost(why);
    };
    const scheduleCheck = (): void => {
      const ms = Math.min(this.checkEveryMs, Math.max(0, expiresAt - clock.wall()));
      cancel = clock.after(ms, () => void check());
    };
    const check = async (): Promise<void> => {
      if (clock.wall() >= expiresAt) {
        end(EXPIRED);
        return;
      }
      const verdict = await this.permissions.mayWatch(authorization, queue).catch(() => 'none' as const);
      if (verdict === 'no') end({ code: status.PERMISSION_DENIED, details: refusalText(queue) });
      else if (verdict === 'bad-credentials') end(NOT_ACCEPTED);
      else if (!stopped) scheduleCheck();
    };
    scheduleCheck();
    return {
      stop: () => {
        stopped = true;
        cancel();
      },
    };
  }
}

const REOPEN = 'open a new watch from the id of the last message, with new credentials';
const EXPIRED: LostPermission = {
  code: status.UNAUTHENTICATED,
  details: `the credentials (authorization) have expired; ${REOPEN}`,
};
const NOT_ACCEPTED: LostPermission = {
  code: status.UNAUTHENTICATED,
  details: `Armada no longer accepts the credentials (authorization); ${REOPEN}`,
};
