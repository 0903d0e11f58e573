import type { JobSetKey } from '@ajs/job-state';
import { jobSetTag } from '@ajs/redis-keys';

export interface JobSetGroup<T> {
  readonly key: JobSetKey;
  readonly tag: string;
  readonly items: T[];
}

/** Puts together what belongs to the same job set. */
export function groupByJobSet<T>(all: Iterable<readonly [key: JobSetKey, item: T]>): JobSetGroup<T>[] {
  const jobSets = new Map<string, JobSetGroup<T>>();
  for (const [key, item] of all) {
    const tag = jobSetTag(key);
    const jobSet = jobSets.get(tag);
    if (jobSet === undefined) jobSets.set(tag, { key, tag, items: [item] });
    else jobSet.items.push(item);
  }
  return [...jobSets.values()];
}
