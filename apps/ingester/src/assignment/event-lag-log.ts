import { Inject, Injectable } from '@nestjs/common';
import type { JobSetKey } from '@ajs/job-state';
import type { Log } from '@ajs/observability';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';
import { LOG } from '@ajs/runtime';

/**
 * Which of the followed job sets have events from Armada that are behind its `api.Jobs`, and by how much: one warning when the first one
 * is, and one line when none is any more.
 */
@Injectable()
export class EventLagLog {
  private readonly lagsMs = new Map<JobSetTag, number>();
  /** All that have been behind since the warning. */
  private readonly affected = new Set<JobSetTag>();

  constructor(@Inject(LOG) private readonly log: Log) {}

  /** How many job sets' events are behind. */
  get jobSets(): number {
    return this.lagsMs.size;
  }

  /** By how much those are behind that are so most. */
  get maxLagMs(): number {
    let max = 0;
    for (const lagMs of this.lagsMs.values()) max = Math.max(max, lagMs);
    return max;
  }

  /** @param lagMs 0 where the events are not behind any more */
  update(key: JobSetKey, lagMs: number): void {
    const tag = jobSetTag(key);
    const { lagsMs, affected } = this;
    if (lagMs > 0) lagsMs.set(tag, lagMs);
    else lagsMs.delete(tag);
    if (lagMs > 0) {
      if (affected.size === 0) {
        this.log.warn(
          { ...key, lagSeconds: Math.round(lagMs / 1_000) },
          "Armada's events lag behind its api.Jobs: job sets are reported as stalled and their jobs are looked up in api.Jobs; check Armada's event ingester",
        );
      }
      affected.add(tag);
    } else if (lagsMs.size === 0 && affected.size > 0) {
      this.log.info({ jobSets: affected.size }, "Armada's events no longer lag behind its api.Jobs");
      affected.clear();
    }
  }
}
