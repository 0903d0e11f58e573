import type { RedisClient } from '@ajs/job-store';
import { formatKey } from '@ajs/redis-keys';
import { isHotter, type Heat } from './heat.js';
import holdWatches from './lua/holdWatches-1.lua';

const ANNOUNCE_EVERY_MS = 1_000;
/** A replica that has not announced itself for so long has no share any more: others read in its place before its leases end. */
const GONE_AFTER_MS = 2_500;
/** What a silent replica held is given out again after so long: a frozen process keeps its sockets for a while. */
const FREE_AFTER_MS = 18_000;
/** By our own clock, from when the last good announcement was sent, so that we have closed everything well before. */
const HELD_FOR_MS = 15_000;
/** A job set that got no watch asks again by then, at its next read, or is no longer counted as waiting. */
const WAITS_FOR_MS = 10_000;
const KEY = formatKey({ kind: 'replicas' });

type HoldWatches = (
  key: string,
  ...args: (string | number)[]
) => Promise<
  [
    toHot: number,
    toWarm: number,
    toCold: number,
    free: number,
    others: number,
    held: number,
    hot: number,
    warm: number,
  ]
>;

export interface WatchBudgetOptions {
  readonly redis: RedisClient;
  readonly replicaId: string;
  /** Watches open at Armada at once, over all replicas. */
  readonly budget: number;
  readonly onError: (error: Error) => void;
  /** The monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

interface Held {
  readonly heat: () => Heat;
  readonly revoke: () => void;
  /** Whether it was asked to give up. */
  isRevoked: boolean;
}

interface Claim extends Held {
  readonly assignmentId: string;
  readonly at: Heat;
  readonly done: (given: boolean) => void;
}

/**
 * This replica's part of the watches that all replicas together may have open at Armada. Each says every second, and when something
 * changes, what it holds; one script adds that up and gives out what is left, so that there are never more than the budget. Who
 * cannot say so closes its watches by its own clock before others may have them.
 */
export class WatchBudget {
  private readonly redis: RedisClient & { holdWatches: HoldWatches };
  private timer: NodeJS.Timeout | undefined;
  private readonly held = new Map<string, Held>();
  private readonly waiting = new Map<string, { readonly heat: Heat; readonly until: number }>();
  private claims: Claim[] = [];
  private announcing: Promise<void> | undefined;
  private hasNews = false;
  private isRevocationDue = false;
  private isLeaving = false;
  private isGone = false;
  private validUntil = -Infinity;
  private others = { replicas: 0, held: 0 };

  constructor(private readonly options: WatchBudgetOptions) {
    options.redis.defineCommand('holdWatches', { numberOfKeys: 1, lua: holdWatches });
    this.redis = options.redis as RedisClient & { holdWatches: HoldWatches };
  }

  /** Tells the others that this replica is there. */
  start(): void {
    this.timer = setInterval(() => this.tick(), ANNOUNCE_EVERY_MS);
    this.announce();
  }

  /** How many watches this replica may have open now. */
  get size(): number {
    return this.held.size;
  }

  /** Replicas that share the work, this one among them. */
  get replicas(): number {
    return this.others.replicas + 1;
  }

  /** As {@link isAboveShare}; before it says so, it looks how things stand now, since a replica may just have left. */
  async confirmAboveShare(): Promise<boolean> {
    if (!this.isAboveShare()) return false;
    this.announce();
    await this.announcing;
    return this.isAboveShare();
  }

  /** Whether this replica holds more than its share, by more than a few: its next turn that can should go elsewhere. */
  isAboveShare(): boolean {
    const share = (this.others.held + this.size) / this.replicas;
    return this.size > share + Math.max(2, share * 0.05);
  }

  holds(turnId: string): boolean {
    return this.held.has(turnId);
  }

  /**
   * Asks for a watch; says whether there is one. While it is held, `heat` tells how hot the job set is then; `giveUp` is called once
   * when the watch must be closed and released: somebody hotter waits, or it may not be held any longer.
   */
  claim(turnId: string, heat: () => Heat, giveUp: () => void): Promise<boolean> {
    if (this.held.has(turnId)) return Promise.resolve(true);
    if (this.isLeaving) return Promise.resolve(false);
    this.waiting.delete(turnId);
    return new Promise((done) => {
      this.claims.push({ assignmentId: turnId, heat, revoke: giveUp, isRevoked: false, at: heat(), done });
      this.announce();
    });
  }

  /** The watch is closed. */
  release(turnId: string): void {
    if (this.held.delete(turnId)) this.announce();
  }

  /** This replica takes no more, and gives up what it has: from now on the others share the work. */
  async startLeaving(): Promise<void> {
    this.isLeaving = true;
    this.announce();
    await this.announcing;
  }

  /** Every watch is closed: others may have them at once. */
  async leave(): Promise<void> {
    this.isLeaving = true;
    this.isGone = true;
    clearInterval(this.timer);
    await this.announcing;
    await this.redis.hdel(KEY, this.options.replicaId);
  }

  private get now(): number {
    return this.options.now?.() ?? performance.now();
  }

  private tick(): void {
    if (this.now >= this.validUntil) this.revoke(Array.from(this.held.values()));
    this.isRevocationDue = true;
    this.announce();
  }

  /** One exchange at a time; what is new meanwhile is in the next. */
  private announce(): void {
    this.hasNews = true;
    this.announcing ??= this.exchangeAll().finally(() => (this.announcing = undefined));
  }

  private async exchangeAll(): Promise<void> {
    while (this.hasNews && !this.isGone) {
      this.hasNews = false;
      await this.exchange(this.claims.splice(0));
    }
    for (const { done } of this.claims.splice(0)) done(false);
  }

  private async exchange(claims: readonly Claim[]): Promise<void> {
    const sentAt = this.now;
    for (const [turnId, { until }] of this.waiting) if (sentAt >= until) this.waiting.delete(turnId);
    const { replicaId, budget, onError } = this.options;
    const [hot, warm, cold] = (['hot', 'warm', 'cold'] as const).map((heat) =>
      claims.filter(({ at }) => at === heat),
    ) as [Claim[], Claim[], Claim[]];
    try {
      const [toHot, toWarm, toCold, free, replicas, held, othersHot, othersWarm] =
        await this.redis.holdWatches(
          KEY,
          replicaId,
          this.size,
          budget,
          hot.length,
          warm.length,
          cold.length,
          this.waitingWith('hot'),
          this.waitingWith('warm'),
          FREE_AFTER_MS,
          GONE_AFTER_MS,
          this.isLeaving ? 'leaving' : '',
        );
      this.validUntil = sentAt + HELD_FOR_MS;
      this.others = { replicas, held };
      this.settle(hot, toHot);
      this.settle(warm, toWarm);
      this.settle(cold, toCold);
      if (this.isRevocationDue) {
        this.isRevocationDue = false;
        const waitingHot = othersHot + this.waitingWith('hot');
        this.revokeForHotter(free, waitingHot, waitingHot + othersWarm + this.waitingWith('warm'));
      }
    } catch (error) {
      onError(error as Error);
      for (const { done } of claims) done(false);
    }
  }

  private settle(claims: readonly Claim[], given: number): void {
    claims.forEach((claim, i) => {
      if (i < given) this.held.set(claim.assignmentId, claim);
      else if (claim.at !== 'cold') {
        this.waiting.set(claim.assignmentId, { heat: claim.at, until: this.now + WAITS_FOR_MS });
      }
      claim.done(i < given);
    });
  }

  /** Has colder job sets give their watches up to hotter ones that wait, each replica its part of them. */
  private revokeForHotter(free: number, waitingHot: number, waitingAtLeastWarm: number): void {
    const coldestFirst = Array.from(this.held.values(), (held) => ({ held, heat: held.heat() })).sort(
      (a, b) => (isHotter(a.heat, b.heat) ? 1 : isHotter(b.heat, a.heat) ? -1 : 0),
    );
    const giveUp = (wanted: number, isColder: (heat: Heat) => boolean): void => {
      const part = Math.ceil(Math.max(0, wanted - free) / this.replicas);
      this.revoke(coldestFirst.slice(0, part).flatMap(({ held, heat }) => (isColder(heat) ? [held] : [])));
    };
    giveUp(waitingHot, (heat) => heat !== 'hot');
    giveUp(waitingAtLeastWarm, (heat) => heat === 'cold');
    // More than the budget: others were given what was ours.
    if (free < 0) giveUp(0, () => true);
  }

  private revoke(held: readonly Held[]): void {
    for (const one of held) {
      if (one.isRevoked) continue;
      one.isRevoked = true;
      one.revoke();
    }
  }

  private waitingWith(heat: Heat): number {
    return Array.from(this.waiting.values()).filter((one) => one.heat === heat).length;
  }
}
