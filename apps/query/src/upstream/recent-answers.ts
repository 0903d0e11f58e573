const MAX_ANSWERS = 50_000;

/** Reuses answers for a moment: a burst of requests for the same key costs one. */
export class RecentAnswers<V> {
  /** In the order in which they were given. */
  private readonly answers = new Map<string, { readonly value: V; readonly at: number }>();

  constructor(
    private readonly keepMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Those that take memory: of the last moment in which any was given. */
  get size(): number {
    return this.answers.size;
  }

  get(key: string): V | undefined {
    const answer = this.answers.get(key);
    return answer !== undefined && this.now() - answer.at < this.keepMs ? answer.value : undefined;
  }

  set(key: string, value: V): void {
    const now = this.now();
    this.answers.delete(key);
    this.answers.set(key, { value, at: now });
    for (const [oldest, { at }] of this.answers) {
      if (now - at < this.keepMs && this.answers.size <= MAX_ANSWERS) return;
      this.answers.delete(oldest);
    }
  }
}
