import type { JobSetKey } from '@ajs/job-state';
import { jobSetTag, type JobSetTag } from '@ajs/redis-keys';

export interface JobSetGroup<T> {
  readonly key: JobSetKey;
  readonly tag: JobSetTag;
  readonly items: readonly T[];
}

type Group<T> = JobSetGroup<T> & { readonly items: T[] };

/** Items by the job set they belong to. */
export class JobSetGroups<T> {
  private readonly groups = new Map<JobSetTag, Group<T>>();
  private readonly tags = new Map<JobSetKey, JobSetTag>();
  private last: Group<T> | undefined;

  /** Costs little where those of one job set follow each other, and share the object of their key or have their tag at hand. */
  add(key: JobSetKey, item: T, tag?: JobSetTag): void {
    let group = this.last;
    if (group?.key !== key) this.last = group = this.groupOf(key, tag ?? this.tagOf(key));
    group.items.push(item);
  }

  all(): JobSetGroup<T>[] {
    return [...this.groups.values()];
  }

  private groupOf(key: JobSetKey, tag: JobSetTag): Group<T> {
    let group = this.last?.tag === tag ? this.last : this.groups.get(tag);
    if (group === undefined) this.groups.set(tag, (group = { key, tag, items: [] }));
    return group;
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
