import type { JobDetails, JobRunDetails } from '@ajs/contracts/api/job';
import { isTerminal, type ReportedRun, type ReportedRuns } from '@ajs/job-state';
import { LONGEST_NAME, MOST_EARLIER_RUNS, cut } from './bounds.js';
import { toArmadaTime } from './timestamps.js';
import { fromApiJobState } from './to-jobs-api.js';

/**
 * The runs that Armada's own `GetJobDetails` shows for a job whose latest run is its `number`th; `undefined` where it shows none. How
 * many are kept, and what of their texts, is bounded.
 */
export function toReportedRuns(details: JobDetails, number: number): ReportedRuns | undefined {
  const { latestRunId, jobRuns } = details;
  const latest = jobRuns.find(({ runId }) => runId === latestRunId);
  if (latest === undefined) return undefined;
  const state = fromApiJobState(details.state);
  return {
    number,
    latest: toReportedRun(latest),
    earlier: jobRuns
      .filter((run) => run !== latest)
      .slice(0, MOST_EARLIER_RUNS)
      .map(toReportedRun),
    // Of a job that has ended nothing more is to come, though a run may lack its end.
    isOver: latest.finishedTs !== undefined || (state !== undefined && isTerminal(state)),
  };
}

function toReportedRun(run: JobRunDetails): ReportedRun {
  const { runId, state, cluster, node } = run;
  const leasedAt = toArmadaTime(run.leasedTs);
  const pendingAt = toArmadaTime(run.pendingTs);
  const runningAt = toArmadaTime(run.startedTs);
  const endedAt = toArmadaTime(run.finishedTs);
  return {
    id: cut(runId, LONGEST_NAME),
    state,
    cluster: cut(cluster, LONGEST_NAME),
    node: cut(node, LONGEST_NAME),
    ...(leasedAt !== undefined && { leasedAt }),
    ...(pendingAt !== undefined && { pendingAt }),
    ...(runningAt !== undefined && { runningAt }),
    ...(endedAt !== undefined && { endedAt }),
  };
}
