/** Of a queue and of a job set id: Armada has no longer job set ids. Bytes of UTF-8. */
const MAX_NAME_BYTES = 1024;

/**
 * The longest id that a job or a run can have. Bytes of UTF-8. Armada makes ULIDs (26 characters) and UUIDs (36), and the job's id is a
 * label of its pod, whose value Kubernetes limits to 63.
 */
export const MAX_ID_BYTES = 63;

/**
 * The problem of a queue's name or of a job set id from the network, worded to follow the name of its field; `undefined` where there is
 * none.
 */
export function nameProblem(name: string): string | undefined {
  return problemOf(name, MAX_NAME_BYTES);
}

/** As {@link nameProblem}, of the id of a job or of a run. What has a problem cannot be the id of any: it is not kept, nor looked up. */
export function idProblem(id: string): string | undefined {
  return problemOf(id, MAX_ID_BYTES);
}

function problemOf(text: string, maxBytes: number): string | undefined {
  if (text === '') return 'is empty';
  // A UTF-16 unit is one to three bytes of UTF-8: few texts need to be measured.
  if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)) {
    return `is longer than ${maxBytes} bytes`;
  }
  // Decoding puts this in the place of bytes that are not UTF-8: two different names would become one.
  if (text.includes('\ufffd')) return 'is not valid UTF-8';
  return undefined;
}
