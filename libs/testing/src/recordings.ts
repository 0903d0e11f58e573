import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EventStreamMessage } from '@ajs/contracts/api/event';

/** One job set as a real Armada streamed it, and what its `api.Jobs` answered after all jobs had ended. */
export interface Recording {
  readonly name: string;
  readonly queue: string;
  readonly jobSetId: string;
  readonly messages: readonly RecordedMessage[];
  /** Names of `api.JobState` by job id. */
  readonly states: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, string>>;
}

export interface RecordedMessage {
  readonly id: string;
  /** The serialized `api.EventStreamMessage`. */
  readonly bytes: Buffer;
}

/** The recordings of this repository. */
export function allRecordings(): Recording[] {
  return readRecordings(join(import.meta.dirname, '../fixtures/armada-recordings'));
}

/** Reads every `NAME.jsonl` of a folder, in the order of their names, or the one file. */
export function readRecordings(path: string): Recording[] {
  if (path.endsWith('.jsonl')) return [readRecording(path)];
  const names = readdirSync(path).filter((name) => name.endsWith('.jsonl'));
  return names.sort().map((name) => readRecording(join(path, name)));
}

/** `NAME.jsonl` holds one message on each line; `NAME.status.json` beside it holds the states. */
function readRecording(file: string): Recording {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const messages = lines.map((line): RecordedMessage => {
    const { id, message_b64 } = JSON.parse(line) as { id: string; message_b64: string };
    return { id, bytes: Buffer.from(message_b64, 'base64') };
  });
  // A message of an unknown kind names no job set.
  const named = messages
    .map(({ bytes }) => EventStreamMessage.decode(bytes).message?.events?.value)
    .find((value) => value?.jobSetId);
  if (named === undefined) throw new Error(`${file} holds no event that names its job set`);
  const status = JSON.parse(readFileSync(file.replace(/\.jsonl$/, '.status.json'), 'utf8')) as {
    job_states: Record<string, string>;
    job_errors?: Record<string, string>;
  };
  return {
    name: basename(file, '.jsonl'),
    queue: named.queue,
    jobSetId: named.jobSetId,
    messages,
    states: status.job_states,
    errors: status.job_errors ?? {},
  };
}
