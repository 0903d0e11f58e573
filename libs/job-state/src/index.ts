export type { Brand } from './brand.js';
export { fold } from './fold.js';
export { foldBatch, type StreamMessage } from './fold-batch.js';
export type { Failure, JobEvent, Placement } from './job-event.js';
export type { JobEnrichment, ReportedRun, ReportedRuns } from './job-enrichment.js';
export type { JobRecord, Run, RunOutcome } from './job-record.js';
export { JobId, ULID_DIGITS, mintedAt } from './job-id.js';
export { MAX_ID_BYTES, idProblem, nameProblem } from './name-problem.js';
export type { JobSetKey } from './job-set-key.js';
export {
  JOB_STATES,
  isFailure,
  isTerminal,
  stateOfNumber,
  type JobState,
  type TerminalState,
} from './job-states.js';
export {
  Cursor,
  compareMessageIds,
  formatMessageId,
  messageTime,
  parseMessageId,
  type MessageId,
} from './message-id.js';
export { isJobEnd, report, type JobEnd, type JobReport } from './report.js';
export { ArmadaTime, MonotonicTime, RedisTime, addMs, earlierOf, laterOf, msBetween, toMs } from './times.js';
