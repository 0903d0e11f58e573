import { SubmitService } from '@ajs/contracts/api/submit';
import { submitItem, unary } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { patiently } from './patiently.js';
import { Stack, poll, type RunningQuery } from './stack.js';

const KEY = { queue: 'event-lag', jobSetId: 's' };

let stack: Stack;
let armada: Client;
let query: RunningQuery;

beforeEach(async () => {
  stack = await Stack.start();
  stack.armada.state.queues.add(KEY.queue);
  armada = new Client(stack.armadaAddress, credentials.createInsecure());
  [query] = await Promise.all([stack.query(), stack.ingester()]);
});

afterEach(async () => {
  armada.close();
  await stack.stop();
});

async function submit(): Promise<string> {
  const request = { ...KEY, jobRequestItems: [submitItem('sleep forever')] };
  return (await unary(armada, SubmitService.submitJobs, request)).answer.jobResponseItems[0]?.jobId ?? '';
}

/** Polls until this is the state of the job and of the subscription. */
const reported = (jobId: string, state: string, subscription: string): Promise<unknown> =>
  patiently(`${state}, ${subscription}`, async () => {
    const answer = await poll(query.client, KEY, jobId);
    const [told] = answer.trailers.get('armada-job-set-subscription');
    return answer.state === state && told === subscription;
  });

describe('while Armada’s events lag behind its api.Jobs', () => {
  it('polls learn the end that api.Jobs has, and that the job set is stalled, until the events are back', async () => {
    const [ended, running] = [await submit(), await submit()];
    await reported(ended, 'RUNNING', 'live');
    await reported(running, 'RUNNING', 'live');
    stack.armada.faults.set({ eventsStopped: true });
    await unary(armada, SubmitService.cancelJobs, { ...KEY, jobId: ended, jobIds: [], reason: '' });
    await patiently(
      'its end is reported',
      async () => (await poll(query.client, KEY, ended)).state === 'CANCELLED',
    );
    await reported(running, 'RUNNING', 'stalled');
    stack.armada.faults.set({});
    await reported(running, 'RUNNING', 'live');
  }, 120_000);
});
