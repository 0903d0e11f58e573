import {
  JOB_STATES,
  isTerminal,
  stateOfNumber,
  type JobRecord,
  type JobState,
  type Run,
  type RunOutcome,
} from '@ajs/job-state';
import { UnreadableRecordError } from '../errors.js';
import { ByteReader, ByteWriter } from './byte-writer.js';

/*
 * A job record as Redis keeps it, about 40 bytes: below the 64 that Redis' compact form of a hash allows. Names that many
 * jobs share (cluster, node, …) are numbers of words kept once a job set; reasons are kept apart. The scripts in lua/ read
 * the first byte and nothing else of it: state in the low four bits, REASONS, TERMINAL.
 */

const STATE_MASK = 0x0f;
const REASONS = 0x40;
const TERMINAL = 0x80;

/** Stored in Redis: append only, never reorder. */
const TIMES = ['leasedAt', 'pendingAt', 'runningAt', 'endedAt'] as const;
const WORDS = ['cluster', 'pool', 'node', 'podNamespace'] as const;
const OUTCOMES: readonly RunOutcome[] = ['failed', 'preempted', 'returned', 'expired'];
const LAST_EVENT = 1 << 0;
const SUBMITTED_AT = 1 << 1;
const RUN = 1 << 2;
const NAMESPACE = 1 << 3;
const POD_NUMBER = 1 << 4;
const POD_NAME = 1 << 5;
const PREEMPTED = 1 << 6;
const FIRST_TIME = 7;
const FIRST_WORD = FIRST_TIME + TIMES.length;
const OUTCOME = 1 << (FIRST_WORD + WORDS.length);

/** What is kept apart from the record, since most jobs have none of it and reads of states need none of it. */
export interface FailureDetails {
  readonly failure?: JobRecord['failure'];
  readonly cancellation?: JobRecord['cancellation'];
  readonly preempted?: string;
}

/** Gives the number of a word, a new one where the word is new. */
export type StringNumber = (word: string) => number;
/** Gives the word of a number. */
export type StringOf = (number: number) => string | undefined;

/** Armada names pods so; then the number alone is kept. */
function podNumber(jobId: string, podName: string | undefined): number | undefined {
  const prefix = `armada-${jobId}-`;
  if (podName === undefined || !podName.startsWith(prefix)) return undefined;
  const number = podName.slice(prefix.length);
  return /^(0|[1-9]\d{0,5})$/.test(number) ? Number(number) : undefined;
}

/** Why the job failed, was cancelled or lost its run, as kept apart; `undefined` where there is nothing to keep. */
export function failureDetailsOf(record: JobRecord): FailureDetails | undefined {
  const { failure, cancellation, run } = record;
  if (failure === undefined && cancellation === undefined && run?.preempted === undefined) return undefined;
  return {
    ...(failure !== undefined && { failure }),
    ...(cancellation !== undefined && { cancellation }),
    ...(run?.preempted !== undefined && { preempted: run.preempted }),
  };
}

const writer = new ByteWriter();

/** The record's bytes. Reasons and external URI are not in them. */
export function encodeRecord(jobId: string, record: JobRecord, wordNumber: StringNumber): Buffer {
  const { run, lastEvent } = record;
  const pod = podNumber(jobId, run?.podName);
  let mask = 0;
  if (lastEvent !== undefined) mask |= LAST_EVENT;
  if (record.submittedAt !== undefined) mask |= SUBMITTED_AT;
  if (record.namespace !== undefined) mask |= NAMESPACE;
  if (run !== undefined) mask |= RUN;
  if (pod !== undefined) mask |= POD_NUMBER;
  else if (run?.podName !== undefined) mask |= POD_NAME;
  if (run?.preempted !== undefined) mask |= PREEMPTED;
  TIMES.forEach((name, i) => (mask |= run?.[name] === undefined ? 0 : 1 << (FIRST_TIME + i)));
  WORDS.forEach((name, i) => (mask |= run?.[name] === undefined ? 0 : 1 << (FIRST_WORD + i)));

  if (run?.outcome !== undefined) mask |= OUTCOME;

  const reasons = failureDetailsOf(record) === undefined ? 0 : REASONS;
  writer.byte(JOB_STATES[record.state].number | reasons | (isTerminal(record.state) ? TERMINAL : 0));
  writer.unsigned(mask);
  writer.unsigned(record.runNumber);
  // Times lie close together: each is kept as what it adds to the one before.
  let previous = 0;
  const time = (at: number): void => {
    writer.signed(at - previous);
    previous = at;
  };
  time(record.changedAt);
  if (lastEvent !== undefined) {
    time(lastEvent.ms);
    writer.unsigned(lastEvent.sequence);
    writer.unsigned(lastEvent.index * 2 + (lastEvent.last ? 1 : 0));
  }
  if (record.submittedAt !== undefined) time(record.submittedAt);
  if (record.namespace !== undefined) writer.unsigned(wordNumber(record.namespace));
  for (const name of TIMES) if (run?.[name] !== undefined) time(run[name]);
  for (const name of WORDS) if (run?.[name] !== undefined) writer.unsigned(wordNumber(run[name]));
  if (pod !== undefined) writer.unsigned(pod);
  else if (run?.podName !== undefined) writer.unsigned(wordNumber(run.podName));
  if (run?.outcome !== undefined) writer.byte(OUTCOMES.indexOf(run.outcome));
  return writer.take();
}

/** The state alone: the first byte. */
export function decodeState(bytes: Buffer): JobState {
  const number = new ByteReader(bytes).byte() & STATE_MASK;
  const state = stateOfNumber(number);
  if (state === undefined) {
    throw new UnreadableRecordError(`a newer version of this service gave it state number ${number}`);
  }
  return state;
}

/** When the job's state changed last, read without the rest. */
export function decodeChangedAt(bytes: Buffer): number {
  const reader = new ByteReader(bytes);
  reader.byte();
  reader.unsigned();
  reader.unsigned();
  return reader.signed();
}

/** Whether the stream has not shown the job yet, read without the rest. */
export function isProvisional(bytes: Buffer): boolean {
  const reader = new ByteReader(bytes);
  reader.byte();
  return (reader.unsigned() & LAST_EVENT) === 0;
}

/** The inverse of {@link encodeRecord}, with the reasons put back. */
export function decodeRecord(
  jobId: string,
  bytes: Buffer,
  reasons: FailureDetails | undefined,
  wordOf: StringOf,
): JobRecord {
  const reader = new ByteReader(bytes);
  const told = (reader.byte() & REASONS) === 0 ? undefined : reasons;
  const mask = reader.unsigned();
  const has = (bit: number): boolean => (mask & bit) !== 0;
  const runNumber = reader.unsigned();
  let previous = 0;
  const time = (): number => (previous += reader.signed());
  const word = (): string => wordOf(reader.unsigned()) ?? '';

  const changedAt = time();
  const lastEvent = has(LAST_EVENT) && {
    ms: time(),
    sequence: reader.unsigned(),
    ...indexAndLast(reader.unsigned()),
  };
  const submittedAt = has(SUBMITTED_AT) && time();
  const namespace = has(NAMESPACE) && word();
  const run: { -readonly [K in keyof Run]: Run[K] } = {};
  TIMES.forEach((name, i) => {
    if (has(1 << (FIRST_TIME + i))) run[name] = time();
  });
  WORDS.forEach((name, i) => {
    if (has(1 << (FIRST_WORD + i))) run[name] = word();
  });
  if (has(POD_NUMBER)) run.podName = `armada-${jobId}-${reader.unsigned()}`;
  if (has(POD_NAME)) run.podName = word();
  if (has(OUTCOME)) Object.assign(run, outcomeOf(reader.byte()));
  if (has(PREEMPTED)) run.preempted = told?.preempted ?? '';
  return {
    state: decodeState(bytes),
    runNumber,
    changedAt,
    ...(lastEvent !== false && { lastEvent }),
    ...(submittedAt !== false && { submittedAt }),
    ...(namespace !== false && { namespace }),
    ...(has(RUN) && { run }),
    ...(told?.failure !== undefined && { failure: told.failure }),
    ...(told?.cancellation !== undefined && { cancellation: told.cancellation }),
  };
}

/** An outcome of a newer version is left out: the run has ended, that much is known. */
function outcomeOf(number: number): Pick<Run, 'outcome'> {
  const outcome = OUTCOMES[number];
  return outcome === undefined ? {} : { outcome };
}

function indexAndLast(value: number): { index: number; last: boolean } {
  return { index: Math.floor(value / 2), last: value % 2 === 1 };
}

/** Reasons as Redis keeps them. */
export function encodeFailureDetails(reasons: FailureDetails): string {
  return JSON.stringify(reasons);
}

/** The inverse of {@link encodeFailureDetails}. */
export function decodeFailureDetails(text: string): FailureDetails {
  try {
    return JSON.parse(text) as FailureDetails;
  } catch (error) {
    throw new UnreadableRecordError(`its failure details are not JSON: ${String(error)}`);
  }
}
