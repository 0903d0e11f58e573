import type { Lease } from '../sync/lease.js';

/**
 * A lease ends after this time without renewal: how long a killed replica's job sets wait, and how long a replica may
 * freeze without losing its own. With a check for stalled turns every second, others take over within about 4 s
 * (measured: 1,000 turns in 3.7 s).
 */
export const LEASE_MS = 3_000;
const RENEW_EVERY_MS = 1_000;
/** The holder stops this long before the lease ends, since its clock and Redis' may run apart. */
const MARGIN_MS = 200;

/** One term of a lease. Where a renewal comes late, it is held again. */
export type LeaseTerm = Pick<Lease, 'isHeld'>;

/** Renews leases at Redis: gives back the ids of those that could not be renewed. */
export type Renew = (turnIds: string[], tokens: string[], durationMs: number) => Promise<string[]>;

interface Held {
  readonly token: string;
  validUntil: number;
  readonly lost: () => void;
}

/** The leases of this replica, renewed together, each fenced by the moment at which its last good renewal was sent. */
export class Leases {
  private readonly held = new Map<string, Held>();
  private readonly timer: NodeJS.Timeout;
  private renewing = false;

  constructor(
    private readonly renew: Renew,
    private readonly onError: (error: Error) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.timer = setInterval(() => void this.renewAll(), RENEW_EVERY_MS);
  }

  get size(): number {
    return this.held.size;
  }

  /**
   * Takes the lease of a turn that BullMQ has just given us: when that was is not known, so it counts from a renewal of its
   * own. `undefined` where it is not ours any more. `lost` is called once if it runs out before it is given back.
   */
  async take(turnId: string, token: string, lost: () => void): Promise<LeaseTerm | undefined> {
    const sentAt = this.now();
    const refused = await this.renew([turnId], [token], LEASE_MS);
    if (refused.length > 0) return undefined;
    const held: Held = { token, validUntil: sentAt + LEASE_MS - MARGIN_MS, lost };
    this.held.set(turnId, held);
    return { isHeld: () => this.held.get(turnId) === held && this.now() < held.validUntil };
  }

  giveBack(turnId: string): void {
    this.held.delete(turnId);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async renewAll(): Promise<void> {
    this.dropEnded();
    if (this.renewing || this.held.size === 0) return;
    this.renewing = true;
    const batch = Array.from(this.held);
    const sentAt = this.now();
    try {
      const refused = new Set(
        await this.renew(
          batch.map(([turnId]) => turnId),
          batch.map(([, { token }]) => token),
          LEASE_MS,
        ),
      );
      for (const [turnId, held] of batch) {
        if (!refused.has(turnId)) held.validUntil = sentAt + LEASE_MS - MARGIN_MS;
        else this.drop(turnId, held);
      }
    } catch (error) {
      // Redis is away: the leases go on until they end by our own clock.
      this.onError(error as Error);
    } finally {
      this.renewing = false;
    }
  }

  private dropEnded(): void {
    const now = this.now();
    for (const [turnId, held] of this.held) if (now >= held.validUntil) this.drop(turnId, held);
  }

  private drop(turnId: string, held: Held): void {
    if (this.held.get(turnId) !== held) return;
    this.held.delete(turnId);
    held.lost();
  }
}
