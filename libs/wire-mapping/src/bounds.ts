/*
 * How much of a text from the network is kept. Armada bounds none of these; names are Kubernetes' (253), reasons are for
 * people, and Armada's own Lookout cuts external URIs at 1,024 characters.
 */
export const LONGEST_REASON = 4_096;
export const LONGEST_NAME = 253;
export const LONGEST_EXTERNAL_URI = 1_024;
export const MOST_CONTAINERS = 32;
/** Of one job, beside its latest run. Armada gives a job up after a few, unless its leases come back again and again. */
export const MOST_EARLIER_RUNS = 50;

/**
 * The text, cut to `longest` characters where it is longer: never inside a surrogate pair. It is a text of its own: a mere slice would
 * keep the whole of the longer one in memory.
 */
export function cut(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const last = text.charCodeAt(longest - 1);
  return structuredClone(text.slice(0, last >= 0xd800 && last <= 0xdbff ? longest - 1 : longest));
}

/** As {@link cut}, with a mark that something is missing. */
export function cutForPeople(text: string, longest: number): string {
  return text.length <= longest ? text : `${cut(text, longest - 1)}…`;
}

const utf8 = new TextEncoder();

/** The text, cut to `longest` bytes of UTF-8 where it is longer: never inside a character. */
export function cutToBytes(text: string, longest: number): string {
  // A UTF-16 unit is one to three bytes of UTF-8: few texts need to be measured.
  if (text.length * 3 <= longest || Buffer.byteLength(text) <= longest) return text;
  return text.slice(0, utf8.encodeInto(text, new Uint8Array(longest)).read);
}
