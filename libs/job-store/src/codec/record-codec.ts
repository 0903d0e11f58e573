import {
  addMs,
  ArmadaTime,
  msBetween,
  toMs,
  messageTime,
  JOB_STATES,
  isTerminal,
  stateOfNumber,
  type JobRecord,
  type JobState,
  type Run,
  type RunOutcome,
  type JobId,
} from '@ajs/job-state';
import { UnreadableRecordError } from '../errors.js';
import { failureDetailsOf, type FailureDetails } from './failure-details.js';
import {
  FIELD,
  HAS_FAILURE_DETAILS,
  HAS_REVISION,
  IS_TERMINAL,
  STATE_BITS,
  type Field,
} from './record-layout.js';
import { ByteReader, ByteWriter } from './varints.js';

/*
 * A job record as Redis keeps it, about 45 bytes: below the 64 that Redis' compact form of a hash allows.
 *
 *   first byte   state and flags
 *   revision     of the write that changed the record last; not in layout 1
 *   mask         which fields there are
 *   run number, changedAt, and the fields of the mask, in the order in which writeRecord writes them
 *
 * Names that many jobs share (cluster, node, …) are numbers in the job set's string dictionary. Failure details are kept apart, and the
 * external URI is kept with the enrichment. A new field takes the next number and goes behind all others: readers ignore what follows the
 * last field that they know.
 */

const TIMES = ['leasedAt', 'pendingAt', 'runningAt', 'endedAt'] as const;
const STRINGS = ['cluster', 'pool', 'node', 'podNamespace'] as const;
/** Fixed for ever, as the fields are. */
const OUTCOMES = { failed: 0, preempted: 1, returned: 2, expired: 3 } as const satisfies Record<
  RunOutcome,
  number
>;

/** Gives the number of a string in the job set's dictionary, a new one where the string is new. */
export type NumberOfString = (text: string) => number;
/** Gives the string of a number; `undefined` where it is not known. */
export type StringOfNumber = (number: number) => string | undefined;

/** What a read of states needs of a record. */
export interface RecordStatus {
  readonly state: JobState;
  readonly changedAt: ArmadaTime;
  /** `undefined` where a version that kept no revisions changed the record last. */
  readonly revision: number | undefined;
  /** No event of the stream has shown the job yet. */
  readonly isProvisional: boolean;
  /** The state is the one that `api.Jobs` reported: no event of the stream has shown it yet. */
  readonly isReported: boolean;
}

const reused = new ByteWriter();

/** The record's bytes as the scripts take them: they add the revision. */
export function encodeRecord(jobId: JobId, record: JobRecord, numberOf: NumberOfString): Buffer {
  writeRecord(reused, jobId, record, numberOf);
  return reused.take();
}

/** As {@link encodeRecord}, behind what is written already. */
export function writeRecord(
  writer: ByteWriter,
  jobId: JobId,
  record: JobRecord,
  numberOf: NumberOfString,
): void {
  const { lastEvent, reported, namespace } = record;
  const run = record.run ?? NO_RUN;
  const pod = podNumber(jobId, run.podName);
  // Field by field, since this is done for every record: with loops over their names it took an eighth longer.
  let mask = 0;
  if (lastEvent !== undefined) mask |= 1 << FIELD.lastEvent;
  if (record.submittedAt !== undefined) mask |= 1 << FIELD.submittedAt;
  if (record.run !== undefined) mask |= 1 << FIELD.run;
  if (namespace !== undefined) mask |= 1 << FIELD.namespace;
  if (pod !== undefined) mask |= 1 << FIELD.podNumber;
  else if (run.podName !== undefined) mask |= 1 << FIELD.podName;
  if (run.preempted !== undefined) mask |= 1 << FIELD.preempted;
  if (run.leasedAt !== undefined) mask |= 1 << FIELD.leasedAt;
  if (run.pendingAt !== undefined) mask |= 1 << FIELD.pendingAt;
  if (run.runningAt !== undefined) mask |= 1 << FIELD.runningAt;
  if (run.endedAt !== undefined) mask |= 1 << FIELD.endedAt;
  if (run.cluster !== undefined) mask |= 1 << FIELD.cluster;
  if (run.pool !== undefined) mask |= 1 << FIELD.pool;
  if (run.node !== undefined) mask |= 1 << FIELD.node;
  if (run.podNamespace !== undefined) mask |= 1 << FIELD.podNamespace;
  if (run.outcome !== undefined) mask |= 1 << FIELD.outcome;
  if (reported !== undefined) mask |= 1 << FIELD.reported;
  if (reported?.leasedAt !== undefined) mask |= 1 << FIELD.reportedLease;
  if (record.failedRuns !== undefined) mask |= 1 << FIELD.failedRuns;

  const details = failureDetailsOf(record) === undefined ? 0 : HAS_FAILURE_DETAILS;
  writer.byte(numberOfState(record.state) | details | (isTerminal(record.state) ? IS_TERMINAL : 0));
  writer.unsigned(mask);
  writer.unsigned(record.runNumber);
  // Times lie close together: each is kept as what it adds to the one before.
  let at = writeTime(writer, record.changedAt, ArmadaTime(0));
  if (lastEvent !== undefined) {
    at = writeTime(writer, messageTime(lastEvent), at);
    writer.unsigned(lastEvent.sequence);
    writer.unsigned(lastEvent.index * 2 + (lastEvent.last ? 1 : 0));
  }
  if (record.submittedAt !== undefined) at = writeTime(writer, record.submittedAt, at);
  if (namespace !== undefined) writer.unsigned(numberOf(namespace));
  if (run.leasedAt !== undefined) at = writeTime(writer, run.leasedAt, at);
  if (run.pendingAt !== undefined) at = writeTime(writer, run.pendingAt, at);
  if (run.runningAt !== undefined) at = writeTime(writer, run.runningAt, at);
  if (run.endedAt !== undefined) at = writeTime(writer, run.endedAt, at);
  if (run.cluster !== undefined) writer.unsigned(numberOf(run.cluster));
  if (run.pool !== undefined) writer.unsigned(numberOf(run.pool));
  if (run.node !== undefined) writer.unsigned(numberOf(run.node));
  if (run.podNamespace !== undefined) writer.unsigned(numberOf(run.podNamespace));
  if (pod !== undefined) writer.unsigned(pod);
  else if (run.podName !== undefined) writer.unsigned(numberOf(run.podName));
  if (run.outcome !== undefined) writer.byte(OUTCOMES[run.outcome]);
  if (reported?.leasedAt !== undefined) writeTime(writer, reported.leasedAt, at);
  if (record.failedRuns !== undefined) writer.unsigned(record.failedRuns);
}

const NO_RUN: Run = {};

/** As what it adds to the time before; returns the time. */
function writeTime(writer: ByteWriter, at: ArmadaTime, before: ArmadaTime): ArmadaTime {
  writer.signed(msBetween(before, at));
  return at;
}

function numberOfState(state: JobState): number {
  const traits = JOB_STATES[state] as { readonly number: number } | undefined;
  if (traits === undefined) throw new RangeError(`no number is known to store the job state ${state} as`);
  return traits.number;
}

/** The state of a job, and since when, without the rest of its record. Throws {@link UnreadableRecordError}. */
export function decodeStatus(bytes: Buffer): RecordStatus {
  return readStatus(ByteReader.of(bytes));
}

/** As {@link decodeStatus}, of the record that a reader stands before. */
export function readStatus(reader: ByteReader): RecordStatus {
  const { state, revision, mask, changedAt } = readHead(reader);
  return {
    state: toState(state),
    changedAt,
    revision,
    isProvisional: !has(mask, 'lastEvent'),
    isReported: has(mask, 'reported'),
  };
}

/** When the job's state changed last, also where this version does not know that state. Throws {@link UnreadableRecordError}. */
export function decodeChangedAt(bytes: Buffer): ArmadaTime {
  return readHead(ByteReader.of(bytes)).changedAt;
}

/**
 * The revision of the write that changed the record last, also where this version does not know its state; 0 where a version that kept none
 * wrote it. Throws {@link UnreadableRecordError}.
 */
export function decodeRevision(bytes: Buffer): number {
  return readHead(ByteReader.of(bytes)).revision ?? 0;
}

/** The inverse of {@link encodeRecord}, with the failure details put back. Throws {@link UnreadableRecordError}. */
export function decodeRecord(
  jobId: JobId,
  bytes: Buffer,
  details: FailureDetails | undefined,
  stringOf: StringOfNumber,
): JobRecord {
  const reader = ByteReader.of(bytes);
  const { state, hasFailureDetails, mask, runNumber, changedAt } = readHead(reader);
  const kept = hasFailureDetails ? details : undefined;
  let previous = changedAt;
  const time = (): ArmadaTime => (previous = addMs(previous, reader.signed()));
  const string = (): string => stringOf(reader.unsigned()) ?? '';

  const lastEvent = has(mask, 'lastEvent') && {
    ms: toMs(time()),
    sequence: reader.unsigned(),
    ...indexAndLast(reader.unsigned()),
  };
  const submittedAt = has(mask, 'submittedAt') && time();
  const namespace = has(mask, 'namespace') && string();
  const run: { -readonly [K in keyof Run]: Run[K] } = {};
  for (const name of TIMES) if (has(mask, name)) run[name] = time();
  for (const name of STRINGS) if (has(mask, name)) run[name] = string();
  if (has(mask, 'podNumber')) run.podName = `armada-${jobId}-${reader.unsigned()}`;
  if (has(mask, 'podName')) run.podName = string();
  if (has(mask, 'outcome')) Object.assign(run, outcomeOf(reader.byte()));
  const reported = has(mask, 'reported') && {
    ...(has(mask, 'reportedLease') && { leasedAt: time() }),
  };
  const failedRuns = has(mask, 'failedRuns') && reader.unsigned();
  if (has(mask, 'preempted')) run.preempted = kept?.preempted ?? '';
  return {
    state: toState(state),
    runNumber,
    changedAt,
    ...(lastEvent !== false && { lastEvent }),
    ...(submittedAt !== false && { submittedAt }),
    ...(namespace !== false && { namespace }),
    ...(has(mask, 'run') && { run }),
    ...(reported !== false && { reported }),
    ...(failedRuns !== false && { failedRuns }),
    ...(kept?.failure !== undefined && { failure: kept.failure }),
    ...(kept?.cancellation !== undefined && { cancellation: kept.cancellation }),
  };
}

interface Head {
  readonly state: number;
  readonly hasFailureDetails: boolean;
  readonly revision: number | undefined;
  readonly mask: number;
  readonly runNumber: number;
  readonly changedAt: ArmadaTime;
}

function readHead(reader: ByteReader): Head {
  const first = reader.byte();
  return {
    state: first & STATE_BITS,
    hasFailureDetails: (first & HAS_FAILURE_DETAILS) !== 0,
    revision: (first & HAS_REVISION) === 0 ? undefined : reader.unsigned(),
    mask: reader.unsigned(),
    runNumber: reader.unsigned(),
    changedAt: ArmadaTime(reader.signed()),
  };
}

function has(mask: number, field: Field): boolean {
  return (mask & (1 << FIELD[field])) !== 0;
}

function toState(number: number): JobState {
  const state = stateOfNumber(number);
  if (state === undefined) {
    throw new UnreadableRecordError(`a newer version of this service gave it state number ${number}`);
  }
  return state;
}

/** An outcome of a newer version is left out: the run has ended, that much is known. */
function outcomeOf(number: number): Pick<Run, 'outcome'> {
  const outcome = (Object.keys(OUTCOMES) as RunOutcome[]).find((name) => OUTCOMES[name] === number);
  return outcome === undefined ? {} : { outcome };
}

function indexAndLast(value: number): { index: number; last: boolean } {
  return { index: Math.floor(value / 2), last: value % 2 === 1 };
}

/** Armada names pods so; then the number alone is kept. */
function podNumber(jobId: JobId, podName: string | undefined): number | undefined {
  if (podName === undefined) return undefined;
  const prefix = `armada-${jobId}-`;
  if (!podName.startsWith(prefix)) return undefined;
  const number = podName.slice(prefix.length);
  return /^(0|[1-9]\d{0,5})$/.test(number) ? Number(number) : undefined;
}
