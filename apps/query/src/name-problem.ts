/** Armada has no longer names. Bytes of UTF-8. */
const MAX_NAME_BYTES = 1024;

/** The problem of a name that a caller sent, worded to follow the name of its field; `undefined` where there is none. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty';
  // A UTF-16 unit is at most three bytes of UTF-8: most names need no closer look.
  if (name.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(name) > MAX_NAME_BYTES) {
    return `is longer than ${MAX_NAME_BYTES} bytes`;
  }
  // Decoding puts this in the place of bytes that are not UTF-8: two different names would become one.
  if (name.includes('\ufffd')) return 'is not valid UTF-8';
  return undefined;
}
