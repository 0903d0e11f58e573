import { JobId, Cursor } from '@ajs/job-state';
import { Generation, RedisKeys, VerdictDigest, jobSetTag } from './index.js';

const jobSet = { queue: 'q', jobSetId: 's' };

// Each line that should not compile is a test: the type check fails where it does.
it('texts that name different things cannot be taken for one another', () => {
  const keys = new RedisKeys();
  const tag = jobSetTag(jobSet);
  // @ts-expect-error A job set's tag is no job's id.
  const jobId: JobId = tag;
  // @ts-expect-error Nor is a cursor.
  const other: JobId = Cursor('1:0:0:1');
  // @ts-expect-error A text has to be looked at before it is an id.
  const unseen: JobId = 'a';
  // @ts-expect-error A cursor is no generation.
  keys.format({ kind: 'bucket', jobSet, generation: Cursor('g'), bucket: 0 });
  // @ts-expect-error A credential must not get into the name of a key.
  keys.format({ kind: 'verdict', digest: 'Bearer secret' });
  expect([jobId, other, unseen]).toEqual(['q/s', '1:0:0:1', 'a']);
});

it('a branded text is a plain text at run time, and wherever any text will do', () => {
  const text: string = JobId('a');
  expect([text, Generation('g'), VerdictDigest('0f')]).toEqual(['a', 'g', '0f']);
});
