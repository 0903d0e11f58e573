import type { Brand, JobSetKey } from '@ajs/job-state';

/** One text for one job set: the hash tag of its keys, and its name wherever a text is wanted. */
export type JobSetTag = Brand<'JobSetTag'>;

// Redis Cluster hashes what stands between the first `{` and the next `}`; `/` parts queue and job set, `:` ends the tag's
// key part, and `%` is the escape itself. Names without these (nearly all) stay readable as they are.
const SPECIAL = /[%{}/:]/g;

function escape(name: string): string {
  return name.replace(SPECIAL, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function unescape(text: string): string {
  return text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** Of the call before: a poll asks several times, and polls of one job set come together. */
let [lastQueue, lastJobSetId, lastTag] = ['', '', '/' as JobSetTag];

/** `queue/jobSet` with both parts escaped. Two job sets never share one. */
export function jobSetTag({ queue, jobSetId }: JobSetKey): JobSetTag {
  if (queue !== lastQueue || jobSetId !== lastJobSetId) {
    lastTag = `${escape(queue)}/${escape(jobSetId)}` as JobSetTag;
    lastQueue = queue;
    lastJobSetId = jobSetId;
  }
  return lastTag;
}

/** The inverse of {@link jobSetTag}; `undefined` for a text that it never gives. */
export function parseJobSetTag(tag: string): JobSetKey | undefined {
  const [queue, jobSetId] = tag.split('/');
  if (queue === undefined || jobSetId === undefined) return undefined;
  const key = { queue: unescape(queue), jobSetId: unescape(jobSetId) };
  return jobSetTag(key) === tag ? key : undefined;
}
