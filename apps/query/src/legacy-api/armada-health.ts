/** An answer of Armada's is good for this long: operators ask for health before every task. Milliseconds. */
const KEEP_MS = 2_000;

/** Whether Armada answers its own Health: asked when somebody wants to know, once for all who ask at the same time. */
export class ArmadaHealth {
  private askedAt = -Infinity;
  private answer = Promise.resolve(false);

  constructor(
    private readonly probe: () => Promise<void>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  isHealthy(): Promise<boolean> {
    if (this.now() - this.askedAt >= KEEP_MS) {
      this.askedAt = this.now();
      this.answer = this.probe().then(
        () => true,
        () => false,
      );
    }
    return this.answer;
  }
}
