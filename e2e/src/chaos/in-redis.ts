import type { Answer, Trouble } from './history.js';

/** Of which jobs Redis has a state, as far as answers show: it had one when it was asked, and has lost nothing since. */
export class InRedis {
  private readonly shownAt = new Map<string, number>();
  private readonly inMemory = new Set<string>();
  private readonly losses: readonly Trouble[];

  constructor(troubles: readonly Trouble[]) {
    this.losses = troubles.filter(({ lostWrites }) => lostWrites === true);
  }

  /** A state was told. Once a query has told an end, it has that in its own memory, and does not need Redis for it. */
  add({ api, query, jobId, askedAt }: Answer, isEnd: boolean): void {
    const byQuery = `${query} ${jobId}`;
    // What api.Jobs tells may be Armada's own word.
    if (api === 'legacy' && !this.inMemory.has(byQuery)) this.shownAt.set(jobId, askedAt);
    if (isEnd) this.inMemory.add(byQuery);
  }

  has({ jobId, answeredAt }: Answer): boolean {
    const shownAt = this.shownAt.get(jobId);
    return shownAt !== undefined && !this.losses.some(({ from, to }) => from <= answeredAt && shownAt <= to);
  }
}
