import type { Answer, Disturbance } from './history.js';

/** The jobs that Redis has a state of, as far as answers show: an answer came from there, and Redis has lost nothing since. */
export class InRedis {
  private readonly shownAt = new Map<string, number>();
  private readonly inMemory = new Set<string>();
  private readonly losses: readonly Disturbance[];

  constructor(disturbances: readonly Disturbance[]) {
    this.losses = disturbances.filter(({ lostWrites }) => lostWrites === true);
  }

  /** A state was reported. A query that has reported a terminal state keeps it in memory and does not read Redis for it again. */
  add({ api, query, jobId, requestedAt }: Answer, isTerminal: boolean): void {
    // Watches and waits do not show when Redis was read.
    if (api === 'v2') return;
    const byQuery = `${query} ${jobId}`;
    // An answer of api.Jobs may be Armada's own.
    if (api === 'legacy' && !this.inMemory.has(byQuery)) this.shownAt.set(jobId, requestedAt);
    if (isTerminal) this.inMemory.add(byQuery);
  }

  has({ jobId, answeredAt }: Answer): boolean {
    const shownAt = this.shownAt.get(jobId);
    return shownAt !== undefined && !this.losses.some(({ from, to }) => from <= answeredAt && shownAt <= to);
  }
}
