import type { AppProcess } from '../app-process.js';
import type { App } from '../patched-build.js';
import type { RunningQuery, Stack } from '../stack.js';

export type Version = 'today' | 'tomorrow';

/** Which versions run, one replica of each. */
export type Deployment = Readonly<Record<App, readonly Version[]>>;

/** Replicas of two versions over one Redis. */
export class Fleet {
  readonly ingesters = new Map<Version, AppProcess>();
  readonly queries = new Map<Version, RunningQuery>();

  /** @param tomorrow bundles of the next version */
  constructor(
    private readonly stack: Stack,
    private readonly tomorrow: Readonly<Record<App, string>>,
  ) {}

  /** As a rolling update does: new replicas start before old ones get SIGTERM. */
  async deploy({ ingester, query }: Deployment): Promise<void> {
    for (const version of ingester) {
      if (this.ingesters.has(version)) continue;
      this.ingesters.set(version, await this.stack.ingester({}, this.bundleOf('ingester', version)));
    }
    for (const version of query) {
      if (this.queries.has(version)) continue;
      this.queries.set(version, await this.stack.query({}, this.bundleOf('query', version)));
    }
    const stopped: AppProcess[] = [];
    for (const [version, app] of this.ingesters) {
      if (ingester.includes(version)) continue;
      this.ingesters.delete(version);
      stopped.push(app);
    }
    for (const [version, { app }] of this.queries) {
      if (query.includes(version)) continue;
      this.queries.delete(version);
      stopped.push(app);
    }
    for (const app of stopped) app.signal('SIGTERM');
    for (const app of stopped) expect(await app.ended()).toBe(0);
  }

  private bundleOf(app: App, version: Version): string | undefined {
    return version === 'today' ? undefined : this.tomorrow[app];
  }
}
