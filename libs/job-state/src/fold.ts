import { type ArmadaTime } from './times.js';
import type { Failure, JobEvent, Placement } from './job-event.js';
import { withFailure, type JobRecord, type Run, type RunOutcome } from './job-record.js';
import { isFailure, isTerminal } from './job-states.js';
import { compareMessageIds, type MessageId } from './message-id.js';
import { compareStages, stageOf } from './stage.js';

/**
 * The one place where events become states.
 *
 * Applies one event to what is known of its job and returns what is known then. The very same object comes back where
 * the event changes nothing: its id is not greater than the last one applied, the job has ended (the first terminal
 * event wins), or the event does not count in this state. A stream may begin in the middle of a job's life, so every
 * event that implies a state makes a record by itself.
 *
 * Where `api.Jobs` has reported the job further than the stream was, the job stays there until the stream has come as far: until then
 * events add all that they show but the state.
 */
export function fold(record: JobRecord | undefined, event: JobEvent, id: MessageId): JobRecord {
  if (record !== undefined) {
    if (record.lastEvent !== undefined && compareMessageIds(id, record.lastEvent) <= 0) return record;
    if (record.reported !== undefined) return foldReported(record, event, id);
    if (isTerminal(record.state)) return record;
  }
  return foldStream(record, event, id);
}

/** The stream comes after a report of `api.Jobs`: the job stays where it was reported, with all that the event adds to it. */
function foldReported(record: JobRecord, event: JobEvent, id: MessageId): JobRecord {
  const shown = foldStream(record, event, id);
  if (shown === record) return record;
  const { state, changedAt } = record;
  const { reported: _, ...streamed } = shown;
  const saysState = event.kind !== 'submitted' && event.kind !== 'preempted';
  if (saysState && compareStages(stageOf(streamed), stageOf(record)) >= 0) {
    // The stream may show another end than the one reported: the first one stays.
    return isTerminal(state) && streamed.state !== state ? { ...streamed, state, changedAt } : streamed;
  }
  const told = { ...shown, state, changedAt };
  // The failure of an earlier run says nothing of how the job ended.
  return isFailure(state) ? withFailure(told, record.failure) : told;
}

type Writable<T> = { -readonly [Field in keyof T]: T[Field] };
/** A record in the making: no one else has it yet. A copy for each field that changes would be most of what an event costs. */
type Draft = Writable<JobRecord>;

function foldStream(record: JobRecord | undefined, event: JobEvent, id: MessageId): JobRecord {
  const at = event.at;
  const draft: Draft =
    record === undefined
      ? { state: 'SUBMITTED', runNumber: 0, changedAt: at, lastEvent: id }
      : { ...record, lastEvent: id };

  switch (event.kind) {
    case 'submitted':
      // A provisional record, or one made by a later event of the same stream, still lacks what only this event carries; and the time
      // of a provisional one may be by the clock of who forwarded the submission.
      if (event.namespace !== undefined) draft.namespace ??= event.namespace;
      if (event.externalUri !== undefined) draft.externalUri ??= event.externalUri;
      draft.submittedAt = at;
      return draft;
    case 'queued':
      // What the stream has not shown yet it shows with this, whatever else is known of the job's state.
      if (record !== undefined && !canBeQueued(record)) return record.lastEvent ? record : draft;
      draft.state = 'QUEUED';
      draft.changedAt = at;
      return draft;
    case 'leased':
      // A run that had to make room has failed, also where the stream lacks its end.
      if (draft.run?.preempted !== undefined) failRun(draft, NOWHERE, at);
      draft.state = 'LEASED';
      draft.runNumber++;
      draft.run = { ...event.placement, leasedAt: at };
      draft.changedAt = at;
      return draft;
    case 'pending':
      goOn(draft);
      return active(draft, 'PENDING', { ...draft.run, ...event.placement, pendingAt: at }, at);
    case 'running':
      goOn(draft);
      return active(draft, 'RUNNING', { ...draft.run, ...event.placement, runningAt: at }, at);
    case 'returned': {
      const end = event.attempted ? failRun : endRun;
      end(draft, NOWHERE, at, event.expired ? 'expired' : 'returned');
      draft.state = 'QUEUED';
      return draft;
    }
    case 'succeeded':
      goOn(draft);
      endRun(draft, event.placement, at);
      draft.state = 'SUCCEEDED';
      return draft;
    case 'failed': {
      const beginsHere = record?.lastEvent === undefined;
      const preempted = beginsHere ? lostPreemption(event.failure) : record.run?.preempted;
      draft.failure = event.failure;
      if (event.retryable) {
        failRun(draft, event.placement, at, preempted === undefined ? 'failed' : 'preempted');
        draft.state = 'QUEUED';
        return draft;
      }
      const end = event.rejected ? endRun : failRun;
      end(draft, event.placement, at);
      draft.state = event.rejected ? 'REJECTED' : preempted === undefined ? 'FAILED' : 'PREEMPTED';
      if (draft.state === 'PREEMPTED' && preempted) draft.failure = { ...event.failure, reason: preempted };
      return draft;
    }
    case 'preempted':
      // Only a run can be preempted: where the stream begins here, the job was on a cluster a moment ago.
      draft.state = record?.state ?? 'RUNNING';
      draft.run = { ...draft.run, preempted: event.reason };
      return draft;
    case 'cancelled':
      endRun(draft, NOWHERE, at);
      draft.state = 'CANCELLED';
      draft.cancellation = { reason: event.reason, requestor: event.requestor };
      return draft;
    case 'duplicate-found':
      draft.state = 'DUPLICATE_FOUND';
      draft.changedAt = at;
      draft.failure = { reason: `duplicate of job ${event.originalJobId}` };
      return draft;
  }
}

const NOWHERE: Placement = {};

/** Whether `queued` counts: a job that its stream has shown further is queued for a later run, as other events say. */
function canBeQueued({ state, reported, run }: JobRecord): boolean {
  return reported === undefined ? state === 'SUBMITTED' : run === undefined;
}

function active(draft: Draft, state: 'PENDING' | 'RUNNING', run: Run, at: ArmadaTime): JobRecord {
  draft.state = state;
  draft.runNumber = Math.max(draft.runNumber, 1);
  draft.run = run;
  draft.changedAt = at;
  return draft;
}

/** Only a run that goes on can begin to run or succeed: where the latest has ended, the stream lacks the next one's lease. */
function goOn(draft: Draft): void {
  if (draft.run?.endedAt === undefined) return;
  delete draft.run;
  draft.runNumber++;
}

/**
 * The run, if there was one, ends here; one that the job outlives has an outcome. A run ends once: what befalls a job that waits
 * again says nothing of the run before. What is left of a preemption's note belongs to the run that ended.
 */
function endRun(draft: Draft, placement: Placement, at: ArmadaTime, outcome?: RunOutcome): void {
  draft.changedAt = at;
  const noRun = draft.run === undefined && outcome === undefined && Object.keys(placement).length === 0;
  if (noRun) return;
  const run: Writable<Run> = { ...draft.run, ...placement };
  if (run.preempted !== undefined) delete run.preempted;
  if (run.endedAt === undefined) {
    run.endedAt = at;
    if (outcome !== undefined) run.outcome = outcome;
  }
  draft.run = run;
}

/** Ends the run as {@link endRun} does, and counts it among those that failed (`JobRecord.failedRuns`). */
function failRun(draft: Draft, placement: Placement, at: ArmadaTime, outcome?: RunOutcome): void {
  const hasEnded = draft.run?.endedAt !== undefined;
  endRun(draft, placement, at, outcome);
  if (!hasEnded && draft.run !== undefined) draft.failedRuns = (draft.failedRuns ?? 0) + 1;
}

/** Where a stream begins with a job's end, the `preempted` before it is lost: Armada gives its reason once more. */
function lostPreemption({ reason }: Failure): string | undefined {
  return reason.startsWith('Preempted by ') ? reason : undefined;
}
