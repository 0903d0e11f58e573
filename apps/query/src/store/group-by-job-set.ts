import type { JobSetKey } from '@ajs/job-state';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';

export interface JobSetGroup<T> {
  readonly key: JobSetKey;
  readonly tag: JobSetTag;
  readonly items: readonly T[];
}

/**
 * Groups items by the job set they belong to. Costs little where they share the objects of their keys, or where the tag is at hand and those
 * of one job set follow each other.
 */
export function groupByJobSet<T>(
  all: Iterable<readonly [key: JobSetKey, item: T, tag?: JobSetTag | undefined]>,
): JobSetGroup<T>[] {
  const groups = new Map<JobSetTag, { key: JobSetKey; tag: JobSetTag; items: T[] }>();
  const tags = new Map<JobSetKey, JobSetTag>();
  let group: { key: JobSetKey; tag: JobSetTag; items: T[] } | undefined;
  for (const [key, item, knownTag] of all) {
    let tag = knownTag ?? tags.get(key);
    if (tag === undefined) tags.set(key, (tag = jobSetTag(key)));
    if (group?.tag !== tag) {
      group = groups.get(tag) ?? { key, tag, items: [] };
      groups.set(tag, group);
    }
    group.items.push(item);
  }
  return [...groups.values()];
}
