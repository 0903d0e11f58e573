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
    // The stream may show another end than the one reported: the first one told stays.
    return isTerminal(state) && streamed.state !== state ? { ...streamed, state, changedAt } : streamed;
  }
  const told = { ...shown, state, changedAt };
  // The failure of an earlier run says nothing of how the job ended.
  return isFailure(state) ? withFailure(told, record.failure) : told;
}

function foldStream(record: JobRecord | undefined, event: JobEvent, id: MessageId): JobRecord {
  const base: JobRecord = {
    ...(record ?? { state: 'SUBMITTED', runNumber: 0, changedAt: event.at }),
    lastEvent: id,
  };
  const at = event.at;

  switch (event.kind) {
    case 'submitted':
      // A provisional record, or one made by a later event of the same stream, still lacks what only this event carries; and the time
      // of a provisional one may be by the clock of who forwarded the submission.
      return {
        ...withDefined(base, {
          namespace: base.namespace ?? event.namespace,
          externalUri: base.externalUri ?? event.externalUri,
        }),
        submittedAt: at,
      };
    case 'queued':
      // What the stream has not shown yet it shows with this, whatever else is known of the job's state.
      if (record !== undefined && !canBeQueued(record)) return record.lastEvent ? record : base;
      return { ...base, state: 'QUEUED', changedAt: at };
    case 'leased':
      return {
        ...base,
        state: 'LEASED',
        runNumber: base.runNumber + 1,
        run: { ...event.placement, leasedAt: at },
        changedAt: at,
      };
    case 'pending':
      return active(base, 'PENDING', event.placement, { pendingAt: at }, at);
    case 'running':
      return active(base, 'RUNNING', event.placement, { runningAt: at }, at);
    case 'returned':
      return { ...ended(base, {}, at, event.expired ? 'expired' : 'returned'), state: 'QUEUED' };
    case 'succeeded':
      return { ...ended(goingOn(base), event.placement, at), state: 'SUCCEEDED' };
    case 'failed': {
      const beginsHere = record?.lastEvent === undefined;
      const preempted = beginsHere ? lostPreemption(event.failure) : record.run?.preempted;
      if (event.retryable) {
        const outcome = preempted === undefined ? 'failed' : 'preempted';
        return { ...ended(base, event.placement, at, outcome), state: 'QUEUED', failure: event.failure };
      }
      const next = ended(base, event.placement, at);
      if (event.rejected) return { ...next, state: 'REJECTED', failure: event.failure };
      if (preempted === undefined) return { ...next, state: 'FAILED', failure: event.failure };
      return {
        ...next,
        state: 'PREEMPTED',
        failure: { ...event.failure, reason: preempted || event.failure.reason },
      };
    }
    case 'preempted':
      // Only a run can be preempted: where the stream begins here, the job was on a cluster a moment ago.
      return {
        ...base,
        state: record?.state ?? 'RUNNING',
        run: { ...base.run, preempted: event.reason },
      };
    case 'cancelled':
      return {
        ...ended(base, {}, at),
        state: 'CANCELLED',
        cancellation: { reason: event.reason, requestor: event.requestor },
      };
    case 'duplicate-found':
      return {
        ...base,
        state: 'DUPLICATE_FOUND',
        changedAt: at,
        failure: { reason: `duplicate of job ${event.originalJobId}` },
      };
  }
}

/** Whether `queued` counts: a job that its stream has shown further is queued for a later run, as other events say. */
function canBeQueued({ state, reported, run }: JobRecord): boolean {
  return reported === undefined ? state === 'SUBMITTED' : run === undefined;
}

function active(
  record: JobRecord,
  state: 'PENDING' | 'RUNNING',
  placement: Placement,
  times: Run,
  at: ArmadaTime,
): JobRecord {
  const base = goingOn(record);
  return {
    ...base,
    state,
    runNumber: Math.max(base.runNumber, 1),
    run: { ...base.run, ...placement, ...times },
    changedAt: at,
  };
}

/** Only a run that goes on can begin to run or succeed: where the latest has ended, the stream lacks the next one's lease. */
function goingOn(base: JobRecord): JobRecord {
  if (base.run?.endedAt === undefined) return base;
  const { run: _, ...rest } = base;
  return { ...rest, runNumber: base.runNumber + 1 };
}

/**
 * The run, if there was one, ends here; one that the job outlives has an outcome. A run ends once: what befalls a job that waits
 * again says nothing of the run before. What is left of a preemption's note belongs to the run that ended.
 */
function ended(base: JobRecord, placement: Placement, at: ArmadaTime, outcome?: RunOutcome): JobRecord {
  const noRun = base.run === undefined && outcome === undefined && Object.keys(placement).length === 0;
  if (noRun) return { ...base, changedAt: at };
  const { preempted: _, ...run } = { ...base.run, ...placement };
  const end = run.endedAt === undefined && { endedAt: at, ...(outcome !== undefined && { outcome }) };
  return { ...base, run: { ...run, ...end }, changedAt: at };
}

/** Where a stream begins with a job's end, the `preempted` before it is lost: Armada gives its reason once more. */
function lostPreemption({ reason }: Failure): string | undefined {
  return reason.startsWith('Preempted by ') ? reason : undefined;
}

function withDefined<T extends object>(base: T, values: { [K in keyof T]?: T[K] | undefined }): T {
  const defined = Object.entries(values).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(defined) };
}
