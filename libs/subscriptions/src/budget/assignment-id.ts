import type { Brand } from '@ajs/job-state';

/** The id of an assignment, which is that of its BullMQ job: one for one job set. */
export type AssignmentId = Brand<'AssignmentId'>;

/** Says of a text that it is an assignment's id. */
export function AssignmentId(text: string): AssignmentId {
  return text as AssignmentId;
}
