import { addMs, type MonotonicTime } from '@ajs/job-state';
import { LoopProgress, monotonicNow } from '@ajs/platform';
import type { AssignmentId } from '../budget/assignment-id.js';
import type { Lease } from '../sync/lease.js';

/**
 * A lease expires after this time without renewal: how long a killed replica's job sets wait, and how long a replica may
 * freeze without losing its own.
 */
export const LEASE_MS = 3_000;
/** How often each is renewed. */
export const RENEW_EVERY_MS = 1_000;
const MAX_ROUND_MS = 15_000;
/** The owner stops this long before the lease expires, since its clock and Redis' may run apart. */
const MARGIN_MS = 200;

/** One term of a lease. Where a renewal comes late, it is held again. */
export interface LeaseTerm extends Pick<Lease, 'isHeld'> {
  /** Resolves if it expires before it is given back. */
  readonly expired: Promise<void>;
}

/** Renews leases at Redis: returns the ids of those that could not be renewed. */
export type Renew = (ids: AssignmentId[], tokens: string[], durationMs: number) => Promise<string[]>;

interface Held {
  readonly token: string;
  readonly expire: () => void;
  validUntil: MonotonicTime;
}

/** The leases of this replica, renewed together, each fenced by the moment at which its last good renewal was sent. */
export class Leases {
  /** Of their renewals. */
  readonly progress: LoopProgress;
  private readonly held = new Map<AssignmentId, Held>();
  private readonly timer: NodeJS.Timeout;
  private isRenewing = false;

  constructor(
    private readonly renew: Renew,
    private readonly onError: (error: Error) => void,
    private readonly now: () => MonotonicTime = monotonicNow,
  ) {
    this.progress = new LoopProgress(MAX_ROUND_MS, now);
    this.progress.moved();
    this.timer = setInterval(() => void this.renewAll(), RENEW_EVERY_MS);
  }

  get size(): number {
    return this.held.size;
  }

  /**
   * Takes the lease of an assignment that BullMQ has just given to this replica: when that was is not known, so it counts from a renewal
   * of its own. `undefined` where another replica has it by now.
   */
  async take(id: AssignmentId, token: string): Promise<LeaseTerm | undefined> {
    const sentAt = this.now();
    const refused = await this.renew([id], [token], LEASE_MS);
    if (refused.length > 0) return undefined;
    let expire = (): void => {};
    const expired = new Promise<void>((resolve) => (expire = resolve));
    const held: Held = { token, expire, validUntil: validUntil(sentAt) };
    this.held.set(id, held);
    return { isHeld: () => this.held.get(id) === held && this.now() < held.validUntil, expired };
  }

  giveBack(id: AssignmentId): void {
    this.held.delete(id);
  }

  close(): void {
    clearInterval(this.timer);
    this.progress.idle();
  }

  private async renewAll(): Promise<void> {
    this.dropExpired();
    if (this.isRenewing) return;
    if (this.held.size === 0) {
      this.progress.moved();
      return;
    }
    this.isRenewing = true;
    const batch = Array.from(this.held);
    const sentAt = this.now();
    try {
      const refused = new Set(
        await this.renew(
          batch.map(([id]) => id),
          batch.map(([, { token }]) => token),
          LEASE_MS,
        ),
      );
      for (const [id, held] of batch) {
        if (!refused.has(id)) held.validUntil = validUntil(sentAt);
        else this.drop(id, held);
      }
      this.progress.moved();
    } catch (error) {
      // Redis is unavailable: the leases go on until they expire by our own clock.
      this.onError(error as Error);
    } finally {
      this.isRenewing = false;
    }
  }

  private dropExpired(): void {
    const now = this.now();
    for (const [id, held] of this.held) if (now >= held.validUntil) this.drop(id, held);
  }

  private drop(id: AssignmentId, held: Held): void {
    if (this.held.get(id) !== held) return;
    this.held.delete(id);
    held.expire();
  }
}

function validUntil(sentAt: MonotonicTime): MonotonicTime {
  return addMs(sentAt, LEASE_MS - MARGIN_MS);
}
