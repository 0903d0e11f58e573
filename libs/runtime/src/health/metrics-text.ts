import { addMs, type MonotonicTime } from '@ajs/job-state';
import type { Metrics } from '@ajs/observability';
import { monotonicNow } from '@ajs/platform';

/** Scrapers come every few seconds at most. Milliseconds. */
const MAX_AGE_MS = 1_000;

/** The text of `/metrics` for all callers together: it is made one at a time, and at most once per second. */
export class MetricsText {
  private text: Promise<string> | undefined;
  /** `undefined` while the text is being made. */
  private madeAt: MonotonicTime | undefined;

  constructor(
    private readonly registry: Pick<Metrics['registry'], 'metrics'>,
    private readonly now: () => MonotonicTime = monotonicNow,
  ) {}

  /** At most a second old. */
  read(): Promise<string> {
    if (this.text === undefined || this.isOld()) this.text = this.make();
    return this.text;
  }

  private isOld(): boolean {
    return this.madeAt !== undefined && this.now() >= addMs(this.madeAt, MAX_AGE_MS);
  }

  private make(): Promise<string> {
    this.madeAt = undefined;
    return this.registry.metrics().finally(() => {
      this.madeAt = this.now();
    });
  }
}
