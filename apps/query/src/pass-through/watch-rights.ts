import { expiryOf, refusalText, type ArmadaPermissions } from '@ajs/auth';
import { status } from '@grpc/grpc-js';

/** Why a watch ends before its time. */
export interface LostRight {
  readonly code: status;
  readonly details: string;
}

/**
 * Looks again and again whether those who watch may still do so: Armada checks a watch when it begins, and never after. It is asked with
 * the caller's own credential, which stays in memory while the watch is open and goes nowhere else.
 */
export class WatchRights {
  constructor(
    private readonly permissions: Pick<ArmadaPermissions, 'mayWatch'>,
    private readonly checkEveryMs: number,
  ) {}

  /**
   * `lost` is called at most once: when Armada refuses the right, or the credential, or the credential's own time is over. No answer is no
   * refusal: the watch goes on. Returns what ends the looking.
   */
  keep(
    authorization: string | undefined,
    queue: string,
    lost: (why: LostRight) => void,
  ): { readonly stop: () => void } {
    const expiresAt = expiryOf(authorization) ?? Infinity;
    let timer: NodeJS.Timeout;
    let stopped = false;
    const end = (why: LostRight): void => {
      if (stopped) return;
      stopped = true;
      lost(why);
    };
    const lookAgain = (): void => {
      timer = setTimeout(() => void look(), Math.min(this.checkEveryMs, Math.max(0, expiresAt - Date.now())));
    };
    const look = async (): Promise<void> => {
      if (Date.now() >= expiresAt) {
        end(EXPIRED);
        return;
      }
      const verdict = await this.permissions.mayWatch(authorization, queue).catch(() => 'none' as const);
      if (verdict === 'no') end({ code: status.PERMISSION_DENIED, details: refusalText(queue) });
      else if (verdict === 'bad-credentials') end(NOT_ACCEPTED);
      else if (!stopped) lookAgain();
    };
    lookAgain();
    return {
      stop: () => {
        stopped = true;
        clearTimeout(timer);
      },
    };
  }
}

const GO_ON = 'open a new watch, from the id of the last message, with new ones';
const EXPIRED: LostRight = {
  code: status.UNAUTHENTICATED,
  details: `the time of your credentials (authorization) is over; ${GO_ON}`,
};
const NOT_ACCEPTED: LostRight = {
  code: status.UNAUTHENTICATED,
  details: `Armada does not accept your credentials (authorization) any more; ${GO_ON}`,
};
