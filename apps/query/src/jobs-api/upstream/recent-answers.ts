import { BoundedCache } from '@ajs/platform';

const REMEMBERED = 50_000;

/** Answers that are good for a moment: what many ask about at nearly the same time is asked once. */
export class RecentAnswers<V> {
  private readonly answers = new BoundedCache<string, { readonly value: V; readonly at: number }>(REMEMBERED);

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
