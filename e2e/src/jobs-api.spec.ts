import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { allRecordings, unary } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { patiently } from './patiently.js';
import { Stack, poll } from './stack.js';

let stack: Stack;
let client: Client;
let armada: Client;

beforeAll(async () => {
  stack = await Stack.start();
  await stack.ingester();
  ({ client } = await stack.query());
  armada = new Client(stack.armadaAddress, credentials.createInsecure());
}, 120_000);

afterAll(async () => {
  armada.close();
  await stack.stop();
});

const statesOf = async (jobIds: readonly string[]) =>
  (await unary(client, JobsService.getJobStatus, { jobIds: [...jobIds] })).answer.jobStates;

describe.each(allRecordings())('the recording $name', (recording) => {
  const jobIds = Object.keys(recording.states);

  beforeAll(async () => {
    stack.armada.replay(recording);
    // Synced: from here on answers come from the stream.
    for (const jobId of jobIds) {
      await patiently('the job set is synced', async () => {
        const { state, trailers } = await poll(client, recording, jobId);
        return state !== 'CONNECTION_ERR' && trailers.get('armada-job-set-subscription')[0] === 'live';
      });
    }
  });

  it('has the states that Armada answered', async () => {
    const expected = Object.entries(recording.states).map(([jobId, name]) => [
      jobId,
      JobState[name as keyof typeof JobState],
    ]);
    expect(await statesOf(jobIds)).toEqual(Object.fromEntries(expected));
  });

  it('has the errors that Armada answered', async () => {
    const { jobErrors } = (await unary(client, JobsService.getJobErrors, { jobIds })).answer;
    expect(jobErrors).toEqual(recording.errors);
  });

  it('has the details that Armada answers', async () => {
    const request = { jobIds, expandJobSpec: false, expandJobRun: true };
    const ours = (await unary(client, JobsService.getJobDetails, request)).answer.jobDetails;
    const theirs = (await unary(armada, JobsService.getJobDetails, request)).answer.jobDetails;
    expect(Object.keys(ours).sort()).toEqual([...jobIds].sort());
    for (const jobId of jobIds) {
      expect(ours[jobId]).toEqual(toMilliseconds(theirs[jobId] ?? missing(jobId)));
    }
  });
});

/** Times are stored in milliseconds. */
function toMilliseconds<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (key, part: unknown) =>
      key === 'nanos' ? Math.floor(Number(part) / 1e6) * 1e6 : part,
    ),
  ) as T;
}

function missing(jobId: string): never {
  throw new Error(`the fake Armada does not know ${jobId}`);
}
