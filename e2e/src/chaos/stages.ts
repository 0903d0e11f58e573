import type { JobState } from '@ajs/job-state';
import { apiStateOf, isTerminal } from './api-states.js';
import type { Bounds } from './bounds.js';
import type { Answer, Stage, TrueJob } from './history.js';

/** The stages that this answer may stand for. */
export function possibleStages({ result, api, answeredAt }: Answer, { stages }: TrueJob): Stage[] {
  if (result.kind !== 'state') return [];
  return stages.filter(({ state, at }) => apiStateOf(state, api) === result.apiState && at <= answeredAt);
}

export function nextStage(stage: Stage, { stages }: TrueJob): Stage | undefined {
  return stages[stages.indexOf(stage) + 1];
}

/** Whether a cursor at this position, or one beyond it, can have shown the stage. */
export function isCurrentAt(position: number, stage: Stage, job: TrueJob): boolean {
  const next = nextStage(stage, job);
  return next === undefined || next.position > position;
}

/** Whether an answer comes from the event stream, and so implies a position of the cursor: it may be Armada's own once that was asked. */
export function isFromTheStream(
  { answeredAt }: Answer,
  { lookedUpAt }: TrueJob,
  { clocks }: Bounds,
): boolean {
  return lookedUpAt === undefined || answeredAt < lookedUpAt - clocks;
}

/** The terminal state that an answer reports, if it is the job's. */
export function reportedEnd({ result, api }: Answer, { stages }: TrueJob): JobState | undefined {
  const end = stages.find(({ state }) => isTerminal(state))?.state;
  const isReported = end !== undefined && result.kind === 'state' && result.apiState === apiStateOf(end, api);
  return isReported ? end : undefined;
}
