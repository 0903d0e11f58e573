import { SubmitService, type JobSubmitRequestItem } from '@ajs/contracts/api/submit';
import { PodSpec, type Container } from '@ajs/contracts/fakearmada/v1/pod';
import { status } from '@grpc/grpc-js';
import { submitItem } from '../index.js';
import { SpecServer } from './spec-server.js';

const CPU = { cpu: { string: '1' } };
const main = { name: 'main', image: 'busybox', args: ['true'] };
const sound = { ...main, resources: { requests: CPU, limits: CPU } };

const pod = (containers: Container[], initContainers: Container[] = []) => ({
  podSpecs: [Buffer.from(PodSpec.encode({ containers, initContainers }).finish())],
});

let server: SpecServer;
beforeEach(async () => (server = await SpecServer.start()));
afterEach(() => server.stop());

it.each<[why: string, fields: Partial<JobSubmitRequestItem>]>([
  ['namespace is a required field', { namespace: '' }],
  ['Job must contain at least one PodSpec', { podSpecs: [] }],
  [
    'PodSpec must be nil if PodSpecs is provided (i.e., these are exclusive)',
    { podSpec: Buffer.from([18, 0]) },
  ],
  ['Jobs with multiple pods are not supported', { podSpecs: [Buffer.alloc(0), Buffer.alloc(0)] }],
  ['container main has no resources specified', pod([{ ...main, resources: undefined }])],
  [
    'container init has no resources specified',
    pod([sound], [{ ...main, name: 'init', resources: undefined }]),
  ],
  [
    'container main defines different resources for requests and limits',
    pod([{ ...main, resources: { requests: CPU, limits: {} } }]),
  ],
  [
    'container main defines cpu for requests but not limits',
    pod([{ ...main, resources: { requests: CPU, limits: { memory: { string: '1Gi' } } } }]),
  ],
  ['client id of length 101 is greater than max allowed length of  100', { clientId: 'c'.repeat(101) }],
])('a submission is refused as a whole: "%s"', async (details, fields) => {
  const submission = server.submitAll([submitItem(), submitItem('exit 0', fields)]);
  await expect(submission).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, details });
  expect(server.armada.state.jobs.size).toBe(0);
});

it.each([
  [0, 'job set id is a required field'],
  [1_024, 'job set id of length 1024 must be less than max character length 1024'],
])('a job set id of %i characters is refused', async (length, details) => {
  const request = { queue: 'q', jobSetId: 's'.repeat(length), jobRequestItems: [submitItem()] };
  await expect(server.call(SubmitService.submitJobs, request)).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
    details,
  });
});

it('what is at the limit of every rule is accepted', async () => {
  const item = submitItem('exit 0', { ...pod([sound], [sound]), clientId: 'c'.repeat(100) });
  const [answer] = await server.submitAll([item], 's'.repeat(1_023));
  expect(answer).toMatchObject({ error: '' });
});
