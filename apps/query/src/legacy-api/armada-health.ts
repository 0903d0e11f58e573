/** How long Armada's answer is reused: operators check the health before every task. Milliseconds. */
const KEEP_MS = 2_000;

/** Whether Armada answers its own Health: requested on demand, once for all callers of the same moment. */
export class ArmadaHealth {
  private requestedAt = -Infinity;
  private answer = Promise.resolve(false);

  constructor(
    private readonly probe: () => Promise<void>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  isHealthy(): Promise<boolean> {
    if (this.now() - this.requestedAt >= KEEP_MS) {
      this.requestedAt = this.now();
      this.answer = this.probe().then(
        () => true,
        () => false,
      );
    }
    return this.answer;
  }
}
