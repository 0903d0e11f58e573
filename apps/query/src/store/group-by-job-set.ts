import type { JobSetKey } from '@ajs/job-state';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';

export interface JobSetGroup<T> {
  readonly key: JobSetKey;
  readonly tag: JobSetTag;
  readonly items: readonly T[];
}

/** Groups items by the job set they belong to. Costs little where they share the objects of their keys. */
export function groupByJobSet<T>(all: Iterable<readonly [key: JobSetKey, item: T]>): JobSetGroup<T>[] {
  const groups = new Map<JobSetTag, { key: JobSetKey; tag: JobSetTag; items: T[] }>();
  const byKey = new Map<JobSetKey, T[]>();
  for (const [key, item] of all) {
    let items = byKey.get(key);
    if (items === undefined) {
      const tag = jobSetTag(key);
      const group = groups.get(tag) ?? { key, tag, items: [] };
      groups.set(tag, group);
      byKey.set(key, (items = group.items));
    }
    items.push(item);
  }
  return [...groups.values()];
}
