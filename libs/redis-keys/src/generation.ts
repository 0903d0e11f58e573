import type { Brand } from '@ajs/job-state';

/** One life of a job set's keys: random, part of their names, and never used again. */
export type Generation = Brand<'Generation'>;

/** Says of a text that it is a generation: for those who make one, or read it from a job set's meta. */
export function Generation(text: string): Generation {
  return text as Generation;
}
