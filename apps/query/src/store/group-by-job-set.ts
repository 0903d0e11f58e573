import type { JobSetKey } from '@ajs/job-state';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';

export interface JobSetGroup<T> {
  readonly key: JobSetKey;
  readonly tag: JobSetTag;
  readonly items: T[];
}

/** Groups items by the job set they belong to. */
export function groupByJobSet<T>(all: Iterable<readonly [key: JobSetKey, item: T]>): JobSetGroup<T>[] {
  const groups = new Map<JobSetTag, JobSetGroup<T>>();
  for (const [key, item] of all) {
    const tag = jobSetTag(key);
    const group = groups.get(tag);
    if (group === undefined) groups.set(tag, { key, tag, items: [item] });
    else group.items.push(item);
  }
  return [...groups.values()];
}
