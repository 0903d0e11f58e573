import { ArmadaTime, toMs, type JobEnrichment, type ReportedRun, type ReportedRuns } from '@ajs/job-state';
import { UnreadableRecordError } from '../errors.js';

/*
 * Enrichment as Redis keeps it: four lines of JSON, for the runs, the cancellation, the error and the namespace, each empty where nothing
 * is known. JSON has no line break of its own, so that the script which merges them need not read it. A newer version may keep more
 * lines behind these.
 */

/** A run but for its id; a time is 0 where there is none. */
type StoredRun = [state: number, cluster: string, node: string, ...times: number[]];
/** A version that kept the latest run alone wrote, and reads, its number and its id. */
type StoredRuns = [
  number: number,
  latestId: string,
  isOver?: 0 | 1,
  latest?: StoredRun,
  ...earlier: [id: string, run: StoredRun][],
];

/** Enrichment as one text. */
export function encodeEnrichment({ runs, cancellation, error, namespace }: JobEnrichment): string {
  return [
    runs && JSON.stringify(fromRuns(runs)),
    cancellation && JSON.stringify([cancellation.reason, cancellation.user]),
    error !== undefined && JSON.stringify(error),
    namespace !== undefined && JSON.stringify(namespace),
  ]
    .map((line) => line || '')
    .join('\n');
}

/** The inverse of {@link encodeEnrichment}. Throws {@link UnreadableRecordError}. */
export function decodeEnrichment(text: string): JobEnrichment {
  const [runsLine = '', cancellation = '', error = '', namespace = ''] = text.split('\n');
  try {
    const runs = runsLine === '' ? undefined : toRuns(JSON.parse(runsLine) as StoredRuns);
    return {
      ...(runs !== undefined && { runs }),
      ...(cancellation !== '' && {
        cancellation: toCancellation(JSON.parse(cancellation) as [string, string]),
      }),
      ...(error !== '' && { error: JSON.parse(error) as string }),
      ...(namespace !== '' && { namespace: JSON.parse(namespace) as string }),
    };
  } catch (cause) {
    throw new UnreadableRecordError(`its enrichment is not JSON: ${String(cause)}`);
  }
}

function fromRuns({ number, latest, earlier, isOver }: ReportedRuns): StoredRuns {
  return [
    number,
    latest.id,
    isOver ? 1 : 0,
    fromRun(latest),
    ...earlier.map((run): [string, StoredRun] => [run.id, fromRun(run)]),
  ];
}

function fromRun({ state, cluster, node, leasedAt, pendingAt, runningAt, endedAt }: ReportedRun): StoredRun {
  const times = [leasedAt, pendingAt, runningAt, endedAt];
  return [state, cluster, node, ...times.map((time) => (time === undefined ? 0 : toMs(time)))];
}

/** The id alone, as an older version wrote it, is as good as nothing: all is fetched once more. */
function toRuns([number, latestId, isOver, latest, ...earlier]: StoredRuns): ReportedRuns | undefined {
  if (latest === undefined) return undefined;
  return {
    number,
    latest: toRun(latestId, latest),
    earlier: earlier.map(([id, run]) => toRun(id, run)),
    isOver: isOver === 1,
  };
}

function toRun(id: string, [state, cluster, node, ...times]: StoredRun): ReportedRun {
  const [leasedAt = 0, pendingAt = 0, runningAt = 0, endedAt = 0] = times;
  return {
    id,
    state,
    cluster,
    node,
    ...(leasedAt !== 0 && { leasedAt: ArmadaTime(leasedAt) }),
    ...(pendingAt !== 0 && { pendingAt: ArmadaTime(pendingAt) }),
    ...(runningAt !== 0 && { runningAt: ArmadaTime(runningAt) }),
    ...(endedAt !== 0 && { endedAt: ArmadaTime(endedAt) }),
  };
}

function toCancellation([reason, user]: [string, string]): NonNullable<JobEnrichment['cancellation']> {
  return { reason, user };
}
