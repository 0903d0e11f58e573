import { EventStreamMessage } from '@ajs/contracts/api/event';
import { JobServiceResponse_State } from '@ajs/contracts/jobservice/jobservice';
import { JobState as ApiJobState } from '@ajs/contracts/api/submit';
import { foldBatch, type JobRecord, type StreamMessage } from '@ajs/job-state';
import { allRecordings, type Recording } from '@ajs/testing';
import { readStreamMessage, toApiJobState, toLegacyResponse, toStreamMessage } from './index.js';

const LEGACY: Readonly<Record<string, string>> = { PREEMPTED: 'FAILED', REJECTED: 'FAILED' };

function messagesOf({ messages }: Recording): StreamMessage[] {
  return messages.map(({ bytes }) => {
    const mapped = readStreamMessage(bytes);
    if (mapped.kind !== 'message') throw new Error(`mapped as ${mapped.kind}`);
    return mapped.message;
  });
}

const nameOf = (names: Readonly<Record<string, number>>, value: number): string | undefined =>
  Object.keys(names).find((name) => names[name] === value);

function apiStates(records: ReadonlyMap<string, JobRecord>): Record<string, string | undefined> {
  return Object.fromEntries(
    Array.from(records, ([jobId, record]) => [jobId, nameOf(ApiJobState, toApiJobState(record))]),
  );
}

describe.each(allRecordings())('the recording $name', (recording) => {
  const messages = messagesOf(recording);
  const whole = foldBatch(new Map(), messages);

  it('says the same where all that Armada sent is decoded', () => {
    for (const { bytes } of recording.messages) {
      expect(readStreamMessage(bytes)).toEqual(toStreamMessage(EventStreamMessage.decode(bytes)));
    }
  });

  it('gives the states that Armada gave', () => {
    expect(apiStates(whole)).toEqual(recording.states);
  });

  it('gives the same states to the legacy API, with the reason of a failure', () => {
    for (const [jobId, record] of whole) {
      const state = recording.states[jobId] ?? '';
      const { state: legacy, error } = toLegacyResponse(record);
      expect(nameOf(JobServiceResponse_State, legacy)).toBe(LEGACY[state] ?? state);
      // Armada's own answer is that of the run that failed first; the stream's last word may say more.
      if (recording.errors[jobId]) expect(error).toContain(recording.errors[jobId]);
      else expect(error).toBe('');
    }
  });

  it('counts the runs that failed, one for each failed event of a job that had a run', () => {
    const failures = new Map<string, number>();
    for (const { event } of messages) {
      if (event?.kind === 'failed' && !event.rejected)
        failures.set(event.jobId, (failures.get(event.jobId) ?? 0) + 1);
    }
    for (const [jobId, { failedRuns }] of whole) expect(failedRuns).toBe(failures.get(jobId));
  });

  it('gives them from any message in the middle', () => {
    for (let from = 1; from < messages.length; from++) {
      const states = apiStates(foldBatch(new Map(), messages.slice(from)));
      for (const [jobId, state] of Object.entries(states)) expect(state).toBe(recording.states[jobId]);
    }
  });

  it('gives them with any prefix delivered twice', () => {
    for (let to = 1; to <= messages.length; to++) {
      const known = foldBatch(new Map(), messages.slice(0, to));
      const changed = foldBatch(known, messages);
      expect(apiStates(new Map([...known, ...changed]))).toEqual(recording.states);
    }
  });
});

it('a job of the recordings failed three times, and containers ended with reasons', () => {
  const records = allRecordings().flatMap((recording) => [
    ...foldBatch(new Map(), messagesOf(recording)).values(),
  ]);
  expect(Math.max(...records.map(({ failedRuns = 0 }) => failedRuns))).toBe(3);
  expect(records.map(({ failure }) => failure?.exitReasons)).toContainEqual({ main: 'Error' });
});

it('there are recordings', () => expect(allRecordings().length).toBeGreaterThanOrEqual(10));
