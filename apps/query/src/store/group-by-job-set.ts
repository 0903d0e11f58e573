import type { JobSetKey } from '@ajs/job-state';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';

export interface JobSetGroup<T> {
  readonly key: JobSetKey;
  readonly tag: JobSetTag;
  readonly items: readonly T[];
}

/** Items by the job set they belong to. */
export class JobSetGroups<T> {
  private readonly groups = new Map<JobSetTag, JobSetGroup<T> & { readonly items: T[] }>();
  private readonly tags = new Map<JobSetKey, JobSetTag>();
  private last: (JobSetGroup<T> & { readonly items: T[] }) | undefined;

  /** Costs little where items share the objects of their keys, or where the tag is at hand and those of one job set follow each other. */
  add(key: JobSetKey, item: T, tag = this.tagOf(key)): void {
    if (this.last?.tag !== tag) {
      this.last = this.groups.get(tag) ?? { key, tag, items: [] };
      this.groups.set(tag, this.last);
    }
    this.last.items.push(item);
  }

  all(): JobSetGroup<T>[] {
    return [...this.groups.values()];
  }

  private tagOf(key: JobSetKey): JobSetTag {
    let tag = this.tags.get(key);
    if (tag === undefined) this.tags.set(key, (tag = jobSetTag(key)));
    return tag;
  }
}

/** Groups items by the job set they belong to. */
export function groupByJobSet<T>(all: Iterable<readonly [key: JobSetKey, item: T]>): JobSetGroup<T>[] {
  const groups = new JobSetGroups<T>();
  for (const [key, item] of all) groups.add(key, item);
  return groups.all();
}
