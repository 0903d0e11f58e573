/** Names longer than this are not Armada's. Bytes of UTF-8. */
const LONGEST_NAME_BYTES = 1024;

/** What is wrong with a name that a caller sent, as the end of a sentence that begins with its field; `undefined` if nothing is. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty';
  // A UTF-16 unit is at most three bytes of UTF-8: most names need no closer look.
  if (name.length * 3 > LONGEST_NAME_BYTES && Buffer.byteLength(name) > LONGEST_NAME_BYTES) {
    return `is longer than ${LONGEST_NAME_BYTES} bytes`;
  }
  // What decoding puts in the place of bytes that are no UTF-8: two different names could look the same.
  if (name.includes('\ufffd')) return 'is not valid UTF-8';
  return undefined;
}
