import { LRUCache } from 'lru-cache';

const MAX_ANSWERS = 50_000;

/** Reuses answers for a moment: a burst of requests for the same key costs one. */
export class RecentAnswers<V> {
  private readonly answers = new LRUCache<string, { readonly value: V; readonly at: number }>({
    max: MAX_ANSWERS,
  });

  constructor(
    private readonly keepMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get(key: string): V | undefined {
    const answer = this.answers.peek(key);
    return answer !== undefined && this.now() - answer.at < this.keepMs ? answer.value : undefined;
  }

  set(key: string, value: V): void {
    this.answers.set(key, { value, at: this.now() });
  }
}
