import { anonymous, fixedIdentity, withoutTls } from '@ajs/armada-credentials';
import type { ArmadaVerdict } from '@ajs/auth';
import { EventService, type EventStreamMessage, type JobSetRequest } from '@ajs/contracts/api/event';
import { Queue } from '@ajs/contracts/api/submit';
import { FakeArmada, eventually } from '@ajs/testing';
import { Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { PermissionProbe, createArmadaClient, type ArmadaClient } from './index.js';
import { channelOptions } from './channel-options.js';
import { CountedPool } from './testing/counted-pool.js';

const ALICE = 'Bearer token-of-alice';
const OURS = 'Bearer token-of-ours';
const EVENTS = '/api.Event/GetJobSetEvents';
const HEALTH = '/api.Event/Health';
const GET_QUEUE = '/api.QueueService/GetQueue';

let armada: FakeArmada;
let channels: CountedPool;
let probe: PermissionProbe;
let clients: ArmadaClient[];
const servers: Server[] = [];

beforeEach(async () => {
  armada = new FakeArmada();
  armada.security.rules = {
    bearerTokens: {
      'token-of-alice': { name: 'alice' },
      'token-of-ours': { name: 'ours', groups: ['admins'] },
    },
    watchAllGroups: ['admins'],
  };
  armada.state.queues.letWatch('hers', { users: ['alice'] });
  armada.state.queues.add('other');
  const address = await armada.listen('127.0.0.1:0');
  channels = new CountedPool(withoutTls(address), channelOptions(65_536));
  probe = new PermissionProbe(channels);
  clients = [];
});
afterEach(() => {
  channels.close();
  for (const client of clients) client.close();
  for (const server of servers.splice(0)) server.forceShutdown();
  armada.stop();
});

type Read = ServerWritableStream<JobSetRequest, EventStreamMessage>;

/** The verdict on Alice's right to watch by an Armada that answers reads like this. */
async function verdictWhere(answer: (read: Read) => void): Promise<ArmadaVerdict> {
  const server = new Server();
  servers.push(server);
  const { getJobSetEvents } = EventService;
  server.addService({ getJobSetEvents }, { getJobSetEvents: answer });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  channels.close();
  channels = new CountedPool(withoutTls(`127.0.0.1:${port}`), channelOptions(65_536));
  // No read ends by its deadline while a test looks.
  return new PermissionProbe(channels, 60_000).mayWatch(ALICE, 'hers');
}

describe('what Armada lets a caller do', () => {
  it.each([
    ['may watch: yes', ALICE, 'hers', 'yes'],
    ['may not: no', ALICE, 'other', 'no'],
    ['no such queue', ALICE, 'nope', 'no-queue'],
    ['a credential of nobody', 'Bearer x', 'hers', 'bad-credentials'],
    ['no credential', undefined, 'hers', 'bad-credentials'],
  ])('follows from the status of a read of the queue: %s', async (_, authorization, queue, verdict) => {
    expect(await probe.mayWatch(authorization, queue)).toBe(verdict);
  });

  it('requires that Armada accepts the credential', async () => {
    expect(await probe.authenticates(ALICE)).toBe('yes');
    expect(await probe.authenticates('Bearer x')).toBe('bad-credentials');
    expect(await probe.authenticates(undefined)).toBe('bad-credentials');
  });

  it('is found out with exactly the caller’s authorization, or with none', async () => {
    const odd = 'bEaReR  spaces=and+all/of.it==';
    for (const authorization of [ALICE, odd, undefined]) {
      await probe.authenticates(authorization);
      await probe.mayWatch(authorization, 'hers');
      expect(armada.calls.countsOf(authorization)).toEqual({ [HEALTH]: 1, [EVENTS]: 1 });
    }
    expect(armada.calls.all()).toEqual({ [HEALTH]: 3, [EVENTS]: 3 });
    expect(armada.calls.metadata(EVENTS).map((metadata) => metadata.get('authorization'))).toEqual([
      [ALICE],
      [odd],
      [],
    ]);
  });

  it('is found out by a read from beyond the end of any stream, so that nothing is sent', async () => {
    const requests: JobSetRequest[] = [];
    const verdict = await verdictWhere((call) => {
      requests.push(call.request);
      call.end();
    });
    expect(verdict).toBe('yes');
    expect(requests).toMatchObject([
      { queue: 'hers', fromMessageId: '9999999999999:0:0:1', watch: false, errorIfMissing: false },
    ]);
  });

  it('is found out by the first message where one is sent, and no other is waited for', async () => {
    const cancelled: boolean[] = [];
    const verdict = await verdictWhere((call) => {
      call.on('cancelled', () => cancelled.push(true));
      call.write({ id: '', message: undefined });
    });
    expect(verdict).toBe('yes');
    await eventually('the read is cancelled', () => cancelled.length === 1);
  });

  it('leaves no stream open, and no place taken on a connection', async () => {
    for (const queue of ['hers', 'other', 'nope']) await probe.mayWatch(ALICE, queue);
    await probe.authenticates(ALICE);
    await eventually('the reads have ended', () => armada.events.streams === 0);
    expect(channels.taken).toBe(0);
  });
});

describe('no verdict', () => {
  it('comes of any other status, and the error leaves out its text', async () => {
    armada.security.hasReadQueues = false;
    await expect(probe.mayWatch(ALICE, 'hers')).rejects.toThrow(/^the check failed with INTERNAL$/);
    armada.faults.set({ unavailable: true });
    await expect(probe.mayWatch(ALICE, 'hers')).rejects.toThrow(/^the check failed with UNAVAILABLE$/);
    await expect(probe.authenticates(ALICE)).rejects.toThrow(/^the check failed with UNAVAILABLE$/);
  });

  it('comes of a response that takes too long', async () => {
    armada.faults.set({ hang: true });
    const hasty = new PermissionProbe(channels, 100);
    await expect(hasty.mayWatch(ALICE, 'hers')).rejects.toThrow('no answer within 0.1 s');
  });

  it('comes of an Armada that is not reachable', async () => {
    armada.stop();
    await expect(probe.mayWatch(ALICE, 'hers')).rejects.toThrow(/^the check failed with UNAVAILABLE$/);
  });
});

describe('the watchers of a queue', () => {
  const grantsAs = async (identity = fixedIdentity(OURS)) => {
    const client = createArmadaClient({
      transport: withoutTls(await armada.listen('127.0.0.1:0')),
      identity,
      maxMessageBytes: 65_536,
      callsPerSecond: 100,
    });
    clients.push(client);
    return client.queueGrants;
  };

  it('are read as us: owners and holders of the verb watch, and nobody else', async () => {
    const subjects = (name: string) => [
      { kind: 'User', name },
      { kind: 'Group', name: `${name}-team` },
    ];
    armada.state.queues.create({
      ...Queue.decode(new Uint8Array()),
      name: 'owned',
      userOwners: ['owner'],
      groupOwners: ['owners'],
      permissions: [
        { subjects: subjects('watcher'), verbs: ['submit', 'watch'] },
        { subjects: subjects('submitter'), verbs: ['submit'] },
      ],
    });
    const grants = await grantsAs();
    expect(await grants.watchersOf('owned')).toEqual({
      users: ['watcher', 'owner'],
      groups: ['watcher-team', 'owners'],
    });
    expect(armada.calls.countsOf(OURS)).toEqual({ [GET_QUEUE]: 1 });
  });

  it('are undefined where the queue does not exist', async () => {
    expect(await (await grantsAs()).watchersOf('nope')).toBeUndefined();
  });

  it('are an error with the reason where Armada gives no answer', async () => {
    await expect((await grantsAs(anonymous)).watchersOf('hers')).rejects.toThrow('UNAUTHENTICATED');
    armada.faults.set({ unavailable: true });
    await expect((await grantsAs()).watchersOf('hers')).rejects.toThrow('UNAVAILABLE');
  });
});
