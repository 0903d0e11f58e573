import { ArmadaTime, foldBatch, formatMessageId, type JobId, type StreamMessage } from '@ajs/job-state';
import { StaleWriterError } from '../errors.js';
import type { JobSetWriter } from '../ports.js';
import { aBatch } from './fixtures.js';

/** Writes messages of these jobs as their owner does: folds them again over what others have written. */
export async function writeStream(writer: JobSetWriter, jobs: readonly JobId[]): Promise<void> {
  for (let n = 0; n < jobs.length; n += 4) {
    const messages = messagesOf(jobs.slice(n, n + 4), n);
    for (;;) {
      try {
        const known = await writer.load(jobs);
        const cursor = messages.at(-1)?.cursor ?? '';
        await writer.write({ ...aBatch(cursor, {}), records: foldBatch(known, messages) });
        break;
      } catch (error) {
        if (!(error instanceof StaleWriterError)) throw error;
        expect(await writer.reload()).toBe(true);
      }
    }
  }
}

/** Each of these jobs is submitted and succeeds, in messages that stand at `n`. */
function messagesOf(jobIds: readonly JobId[], n: number): StreamMessage[] {
  const at = ArmadaTime(10);
  return jobIds.flatMap((jobId, i) =>
    (['submitted', 'succeeded'] as const).map((kind, j) => {
      const id = { ms: 10 + n, sequence: 0, index: i * 2 + j, last: true };
      const cursor = formatMessageId(id);
      const event =
        kind === 'submitted' ? { kind, jobId, at } : { kind, jobId, at, placement: { cluster: 'c' } };
      return { id, cursor, event };
    }),
  );
}
