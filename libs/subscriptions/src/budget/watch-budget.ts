import { addMs, MonotonicTime } from '@ajs/job-state';
import type { RedisClient } from '@ajs/job-store';
import { LoopProgress, monotonicNow } from '@ajs/platform';
import type { AssignmentId } from './assignment-id.js';
import { COLD, HOTTEST, yieldsTo, type Heat } from './heat.js';
import holdWatches from './lua/holdWatches-1.lua';

const ANNOUNCE_EVERY_MS = 1_000;
/** A replica that has not announced itself for this long has no share any more: others read in its place before its leases expire. */
const GONE_AFTER_MS = 2_500;
/** What a silent replica held is granted again after this long: a frozen process keeps its sockets for a while. */
const FREE_AFTER_MS = 18_000;
/** By our own clock, from when the last good announcement was sent, so that we have closed everything well before. */
const VALID_FOR_MS = 15_000;
/** A job set that was granted no watch claims one again by then, at its next read, or no longer counts as waiting. */
const WAITS_FOR_MS = 10_000;
const MAX_ROUND_MS = 15_000;

/** Where a replica announces how many job sets of each heat wait. */
const waitingField = (replicaId: string): string => `${replicaId}:waiting`;

type HoldWatches = (
  key: string,
  ...args: (string | number)[]
) => Promise<[free: number, others: number, held: number, granted: string, waiting: string]>;

export interface WatchBudgetOptions {
  readonly redis: RedisClient;
  readonly replicaId: string;
  /** Watches open at Armada at once, over all replicas. */
  readonly budget: number;
  readonly onError: (error: Error) => void;
  readonly now?: () => MonotonicTime;
}

/** Whoever claims a watch. */
export interface WatchClaimant {
  /** How hot its job set is now. */
  heat(): Heat;
  /** Called once when the watch must be closed and released: a hotter job set waits, or the watch may not be held any longer. */
  revoke(): void;
}

interface Held {
  readonly claimant: WatchClaimant;
  isRevoked: boolean;
}

interface Claim {
  readonly assignmentId: AssignmentId;
  readonly claimant: WatchClaimant;
  readonly heat: Heat;
  readonly settle: (granted: boolean) => void;
}

/**
 * This replica's part of the watches that all replicas together may have open at Armada. Each announces every second, and when something
 * changes, what it holds; one script adds that up and grants what is left, so that there are never more than the budget. A replica that
 * cannot announce closes its watches by its own clock before others may have them.
 */
export class WatchBudget {
  /** Of its announcements to the other replicas. */
  readonly progress: LoopProgress;
  private readonly redis: RedisClient & { holdWatches: HoldWatches };
  private readonly key: string;
  private readonly now: () => MonotonicTime;
  private timer: NodeJS.Timeout | undefined;
  private readonly held = new Map<AssignmentId, Held>();
  private readonly waiting = new Map<AssignmentId, { readonly heat: Heat; readonly until: MonotonicTime }>();
  private readonly claims: Claim[] = [];
  private announcing: Promise<void> | undefined;
  private hasNews = false;
  private isRevocationDue = false;
  private isLeaving = false;
  private hasLeft = false;
  private validUntil = MonotonicTime(-Infinity);
  private others = { replicas: 0, held: 0 };

  constructor(private readonly options: WatchBudgetOptions) {
    options.redis.defineCommand('holdWatches', { numberOfKeys: 1, lua: holdWatches });
    this.redis = options.redis as RedisClient & { holdWatches: HoldWatches };
    this.key = options.redis.ownKeys.format({ kind: 'replicas' });
    this.now = options.now ?? monotonicNow;
    this.progress = new LoopProgress(MAX_ROUND_MS, this.now);
  }

  /** Announces this replica to the others. */
  start(): void {
    this.progress.moved();
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

  /** Whether this replica holds more than its share, by more than a few: its next assignment that can should go elsewhere. */
  isAboveShare(): boolean {
    const share = (this.others.held + this.size) / this.replicas;
    return this.size > share + Math.max(2, share * 0.05);
  }

  holds(assignmentId: AssignmentId): boolean {
    return this.held.has(assignmentId);
  }

  /** Claims a watch; resolves to whether it is granted. */
  claim(assignmentId: AssignmentId, claimant: WatchClaimant): Promise<boolean> {
    if (this.held.has(assignmentId)) return Promise.resolve(true);
    if (this.isLeaving) return Promise.resolve(false);
    this.waiting.delete(assignmentId);
    return new Promise((settle) => {
      this.claims.push({ assignmentId, claimant, heat: claimant.heat(), settle });
      this.announce();
    });
  }

  /** The watch is closed. */
  release(assignmentId: AssignmentId): void {
    if (this.held.delete(assignmentId)) this.announce();
  }

  /** This replica claims no more, and is about to release what it has: from now on the others share the work. */
  async startLeaving(): Promise<void> {
    this.isLeaving = true;
    this.announce();
    await this.announcing;
  }

  /** Every watch is closed: others may have them at once. Never rejects: where Redis is unavailable, it frees them after a while. */
  async leave(): Promise<void> {
    this.isLeaving = true;
    this.hasLeft = true;
    clearInterval(this.timer);
    this.progress.idle();
    await this.announcing;
    const { replicaId, onError } = this.options;
    try {
      await this.redis.hdel(this.key, replicaId, waitingField(replicaId));
    } catch (error) {
      onError(error as Error);
    }
  }

  private tick(): void {
    if (this.now() >= this.validUntil) this.revoke(Array.from(this.held.values()));
    this.isRevocationDue = true;
    this.announce();
  }

  /** One exchange at a time; what is new meanwhile is in the next. */
  private announce(): void {
    this.hasNews = true;
    if (!this.hasLeft) this.announcing ??= this.exchangeAll();
  }

  private async exchangeAll(): Promise<void> {
    try {
      while (this.hasNews && !this.hasLeft) {
        this.hasNews = false;
        await this.exchange(this.claims.splice(0));
      }
      for (const { settle } of this.claims.splice(0)) settle(false);
    } finally {
      // In one step with the last look at what is new: what comes later begins another exchange.
      this.announcing = undefined;
    }
  }

  private async exchange(claims: readonly Claim[]): Promise<void> {
    const sentAt = this.now();
    for (const [id, { until }] of this.waiting) if (sentAt >= until) this.waiting.delete(id);
    const { replicaId, budget, onError } = this.options;
    try {
      const [free, replicas, held, granted, waiting] = await this.redis.holdWatches(
        this.key,
        replicaId,
        this.size,
        budget,
        formatCounts(countByHeat(claims)),
        formatCounts(countByHeat(this.waiting.values())),
        FREE_AFTER_MS,
        GONE_AFTER_MS,
        this.isLeaving ? 'leaving' : '',
      );
      this.progress.moved();
      this.validUntil = addMs(sentAt, VALID_FOR_MS);
      this.others = { replicas, held };
      this.settle(claims, parseCounts(granted));
      if (this.isRevocationDue) {
        this.isRevocationDue = false;
        this.revokeForHotter(free, parseCounts(waiting));
      }
    } catch (error) {
      this.progress.failed(error as Error);
      onError(error as Error);
      for (const { settle } of claims) settle(false);
    }
  }

  /** @param granted how many claims of each heat are granted */
  private settle(claims: readonly Claim[], granted: number[]): void {
    for (const { assignmentId, claimant, heat, settle } of claims) {
      const left = granted[heat] ?? 0;
      // An answer may come so late that others count on this replica having closed everything.
      const isGranted = left > 0 && this.now() < this.validUntil;
      granted[heat] = left - 1;
      if (isGranted) this.held.set(assignmentId, { claimant, isRevoked: false });
      else if (heat > COLD) {
        this.waiting.set(assignmentId, { heat, until: addMs(this.now(), WAITS_FOR_MS) });
      }
      settle(isGranted);
    }
  }

  /**
   * Revokes watches of job sets for much hotter ones that wait, each replica its part of them.
   *
   * @param waiting how many job sets of each heat wait, at all replicas
   */
  private revokeForHotter(free: number, waiting: readonly number[]): void {
    const coldestFirst = Array.from(this.held.values(), (held) => ({ held, heat: held.claimant.heat() }));
    coldestFirst.sort((a, b) => a.heat - b.heat);
    const revoke = (wanted: number, upTo: Heat): void => {
      const part = Math.ceil(Math.max(0, wanted - free) / this.replicas);
      this.revoke(coldestFirst.slice(0, part).flatMap(({ held, heat }) => (heat <= upTo ? [held] : [])));
    };
    let wanted = 0;
    for (let heat = HOTTEST; yieldsTo(heat) >= COLD; heat--) {
      wanted += waiting[heat] ?? 0;
      revoke(wanted, yieldsTo(heat));
    }
    // More than the budget: others were granted what was ours.
    if (free < 0) revoke(0, HOTTEST);
  }

  private revoke(held: readonly Held[]): void {
    for (const one of held) {
      if (one.isRevoked) continue;
      one.isRevoked = true;
      one.claimant.revoke();
    }
  }
}

/** As many numbers as there are heats. */
function countByHeat(of: Iterable<{ readonly heat: Heat }>): number[] {
  const counts = Array<number>(HOTTEST + 1).fill(0);
  for (const { heat } of of) counts[heat] = (counts[heat] ?? 0) + 1;
  return counts;
}

const formatCounts = (counts: readonly number[]): string => counts.join(' ');
const parseCounts = (text: string): number[] => text.split(' ').map(Number);
