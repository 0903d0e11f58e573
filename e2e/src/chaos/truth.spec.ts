import { fold, type JobRecord } from '@ajs/job-state';
import { jobEvents, seededRandom } from '@ajs/testing';
import { toStreamMessage } from '@ajs/wire-mapping';
import { lifeOf } from './job-lives.js';
import { Truth } from './truth.js';

const KEY = { queue: 'q', jobSetId: 's' };
const REF = { ...KEY, jobId: '01m85vrgp7whz55kx8f0000001' };
const JOB = { namespace: 'ns', annotations: {} };

describe('the truth', () => {
  it('knows when and with which message each state began, and how many messages came in it', () => {
    const truth = new Truth();
    truth.append(KEY, jobEvents.submitted(REF, JOB), 10);
    truth.append(KEY, jobEvents.reprioritized(REF, 3), 15);
    truth.append(KEY, jobEvents.running(REF, JOB), 20);
    truth.append(KEY, jobEvents.preempted(REF, 'make room'), 30);
    truth.append(KEY, jobEvents.running(REF, JOB), 40);
    expect(truth.jobs()).toEqual([
      {
        key: KEY,
        jobId: REF.jobId,
        stages: [
          { state: 'SUBMITTED', at: 10, position: 1, messages: 1 },
          { state: 'QUEUED', at: 10, position: 2, messages: 3 },
          { state: 'RUNNING', at: 20, position: 5, messages: 3 },
          { state: 'PREEMPTED', at: 30, position: 8, messages: 1 },
        ],
      },
    ]);
  });

  it('knows when the event stream had the message that began a state', () => {
    const truth = new Truth();
    truth.append(KEY, jobEvents.submitted(REF, JOB), 10);
    truth.append(KEY, jobEvents.leased(REF), 20);
    truth.append(KEY, jobEvents.running(REF, JOB), 30);
    truth.publish(KEY, 2, 25);
    truth.publish(KEY, 3, 40);
    expect(truth.jobs()[0]?.stages.map(({ state, publishedAt }) => [state, publishedAt])).toEqual([
      ['SUBMITTED', 25],
      ['QUEUED', 25],
      ['LEASED', 40],
      ['RUNNING', undefined],
    ]);
  });

  it('applies duplicates of the newest messages like any others', () => {
    const truth = new Truth();
    truth.append(KEY, jobEvents.pending(REF, JOB), 1);
    truth.append(KEY, jobEvents.running(REF, JOB), 2);
    truth.duplicateNewest(KEY, 2, 3);
    expect(truth.jobs()[0]?.stages.map(({ state }) => state)).toEqual([
      'PENDING',
      'RUNNING',
      'PENDING',
      'RUNNING',
    ]);
  });

  it('knows which jobs Armada has forgotten part of, and since when', () => {
    const truth = new Truth();
    const other = { ...REF, jobId: '01m85vrgp7whz55kx8f0000002' };
    truth.append(KEY, jobEvents.running(REF, JOB), 1);
    truth.append(KEY, jobEvents.running(other, JOB), 2);
    truth.forget(KEY, 1, 10);
    truth.forget(KEY, 1, 20);
    expect(truth.jobs().map(({ jobId, forgottenAt }) => [jobId, forgottenAt])).toEqual([
      [REF.jobId, 10],
      [other.jobId, undefined],
    ]);
  });

  it('agrees with the fold on random lives', () => {
    const random = seededRandom(7);
    for (let n = 0; n < 300; n++) {
      const truth = new Truth();
      let record: JobRecord | undefined;
      let sequence = 0;
      for (const messages of lifeOf(REF, random)) {
        for (const message of messages) {
          truth.append(KEY, [message], n);
          const mapped = toStreamMessage({ id: `1:${sequence++}:0:1`, message });
          if (mapped.kind !== 'message') throw new Error(`${mapped.kind} is not a message`);
          const { event, id } = mapped.message;
          if (event !== undefined) record = fold(record, event, id);
          expect(truth.state(REF.jobId)).toBe(record?.state);
        }
      }
    }
  });
});
