import { EventService } from '@ajs/contracts/api/event';
import { JobsService } from '@ajs/contracts/api/job';
import { Queue, QueueServiceService } from '@ajs/contracts/api/submit';
import { status } from '@grpc/grpc-js';
import { eventually, jobEvents } from '../index.js';
import { SpecServer } from './spec-server.js';

let server: SpecServer;
beforeEach(async () => {
  server = await SpecServer.start();
  server.armada.security.rules = {
    basicUsers: { alice: { password: 'pa:ss', groups: ['team'] } },
    bearerTokens: { 'token-of-bob': { name: 'bob', groups: ['admins'] } },
    kubernetesTokens: { 'token-of-pod': 'system:serviceaccount:ns:pod' },
    watchAllGroups: ['admins'],
  };
});
afterEach(() => server.stop());

const basic = (text: string): string => `bAsic ${Buffer.from(text).toString('base64')}`;
const kubernetes = (token: string): string =>
  `KubernetesAuth ${Buffer.from(JSON.stringify({ token, ca: 'x' })).toString('base64url')}`;
const ALICE = basic('alice:pa:ss');
const BOB = 'bearer token-of-bob';
const POD = kubernetes('token-of-pod');

const health = (authorization?: string) => server.codeOf(EventService.health, {}, authorization);
const readOf = async (authorization?: string, queue = 'q', fromMessageId = '') =>
  (await server.read({ queue, fromMessageId }, authorization)).end.code;

describe('callers', () => {
  it.each([
    ['a Basic user', ALICE, status.OK],
    ['a Basic user with a wrong password', basic('alice:wrong'), status.UNAUTHENTICATED],
    ['a Basic user that is not there', basic('constructor:'), status.UNAUTHENTICATED],
    ['a token', BOB, status.OK],
    ['a token that is not there', 'Bearer x', status.UNAUTHENTICATED],
    ['a service account', POD, status.OK],
    ['a service account of another cluster', kubernetes('x'), status.UNAUTHENTICATED],
    ['a service account, the scheme in another case', POD.replace('K', 'k'), status.UNAUTHENTICATED],
    ['nobody', undefined, status.UNAUTHENTICATED],
  ])('are authenticated, whatever they call: %s', async (_, authorization, code) => {
    expect(await health(authorization)).toBe(code);
    expect(await server.codeOf(JobsService.getJobStatus, { jobIds: ['x'] }, authorization)).toBe(code);
    expect(await server.codeOf(QueueServiceService.getQueue, { name: 'q' }, authorization)).toBe(code);
  });

  it('are anonymous, where that is allowed, without credentials or with those of an unconfigured scheme', async () => {
    server.armada.security.rules = { anonymous: true, basicUsers: {} };
    expect(await health()).toBe(status.OK);
    expect(await health(BOB)).toBe(status.OK);
    expect(await health(ALICE)).toBe(status.UNAUTHENTICATED);
  });

  it('are distinguished in the call log, refused ones too', async () => {
    await health();
    await health(ALICE);
    await health(ALICE);
    await readOf(BOB);
    const { calls } = server.armada;
    expect(calls.countsOf(undefined)).toEqual({ '/api.Event/Health': 1 });
    expect(calls.countsOf(ALICE)).toEqual({ '/api.Event/Health': 2 });
    expect(calls.countsOf(BOB)).toEqual({ '/api.Event/GetJobSetEvents': 1 });
    expect(calls.countsOf('Bearer x')).toEqual({});
  });

  it('crash the server with a Basic header without a colon; it restarts at once', async () => {
    const watch = server.open({ watch: true }, BOB);
    await eventually('the watch is open', () => server.armada.events.streams === 1);
    expect(await health(basic('nocolon'))).not.toBe(status.OK);
    await eventually('the connections are gone', () => watch.end);
    expect(server.armada.security.crashes).toBe(1);
    await eventually('it answers again', async () => (await health(ALICE)) === status.OK);
  });
});

describe("the events of a queue's job sets", () => {
  it.each([
    ['a queue that is not there is NOT_FOUND, whoever asks', ALICE, 'nope', '', status.NOT_FOUND],
    [
      'without the right: PERMISSION_DENIED, before the message id is looked at',
      ALICE,
      'q',
      'x',
      status.PERMISSION_DENIED,
    ],
    ['with the right, the message id is looked at', BOB, 'q', 'x', status.INVALID_ARGUMENT],
    ['who may watch everything may watch it', BOB, 'q', '', status.OK],
  ])('%s', async (_, authorization, queue, id, code) => {
    expect(await readOf(authorization, queue, id)).toBe(code);
  });

  it.each([
    ['a user', { users: ['alice'] }, ALICE],
    ['a group', { groups: ['team'] }, ALICE],
    ['everyone', { groups: ['everyone'] }, POD],
    ['a service account, by the group of its name', { groups: ['system:serviceaccount:ns:pod'] }, POD],
  ])('are for callers that may watch the queue: %s', async (_, granted, authorization) => {
    server.armada.state.queues.letWatch('q', granted);
    expect(await readOf(authorization)).toBe(status.OK);
    server.armada.state.queues.letWatch('q', { users: ['team'], groups: ['alice'] });
    expect(await readOf(authorization)).toBe(status.PERMISSION_DENIED);
  });

  it('continue on an open stream when the permission is withdrawn', async () => {
    const { state, events } = server.armada;
    state.queues.letWatch('q', { users: ['alice'] });
    const watch = server.open({ watch: true }, ALICE);
    await eventually('the watch is open', () => events.streams === 1);
    state.queues.letWatch('q', {});
    expect(await readOf(ALICE)).toBe(status.PERMISSION_DENIED);
    state.openLog('q', 's').append(jobEvents.leased({ jobId: 'j', queue: 'q', jobSetId: 's' }));
    await eventually('what comes', () => watch.messages.length === 1);
    expect(watch.end).toBeUndefined();
  });

  it('are INTERNAL, not denied, on a server that has not read its queues', async () => {
    server.armada.security.hasReadQueues = false;
    expect(await readOf(ALICE)).toBe(status.INTERNAL);
  });
});

describe('the permissions of a queue', () => {
  it('include its owners', async () => {
    const owned = { userOwners: ['alice'], groupOwners: ['team'] };
    server.armada.state.queues.create({ ...Queue.decode(new Uint8Array()), name: 'owned', ...owned });
    const queue = await server.call(QueueServiceService.getQueue, { name: 'owned' }, ALICE);
    const subjects = [
      { kind: 'User', name: 'alice' },
      { kind: 'Group', name: 'team' },
    ];
    const verbs = ['submit', 'cancel', 'preempt', 'reprioritize', 'watch'];
    expect(queue).toMatchObject({ userOwners: [], groupOwners: [], permissions: [{ subjects, verbs }] });
    expect(await readOf(ALICE, 'owned')).toBe(status.OK);
  });
});
