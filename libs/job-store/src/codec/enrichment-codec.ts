import { ArmadaTime, toMs, type JobEnrichment, type ReportedRun, type ReportedRuns } from '@ajs/job-state';
import { UnreadableRecordError } from '../errors.js';

/*
 * What Redis keeps beside a job's record: five lines of JSON, for the runs, the cancellation, the error and the namespace that enrichment is
 * of, and for the external URI, each empty where nothing is known. JSON has no line break of its own, so that the scripts which merge them
 * need not read it. A version before this one wrote four lines; a newer one may keep more behind these.
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

/** Enrichment as one text: the first four lines. */
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

/** The line of the external URI. */
export function encodeExternalUri(externalUri: string): string {
  return JSON.stringify(externalUri);
}

/** The external URI of the job that this is kept of, if it has one. Throws {@link UnreadableRecordError}. */
export function decodeExternalUri(text: string): string | undefined {
  const line = text.split('\n', 5)[4] ?? '';
  if (line === '') return undefined;
  try {
    return JSON.parse(line) as string;
  } catch (cause) {
    throw new UnreadableRecordError(`its external URI is not JSON: ${String(cause)}`);
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
