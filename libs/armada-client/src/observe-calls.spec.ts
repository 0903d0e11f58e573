import { anonymous, withoutTls } from '@ajs/armada-credentials';
import { Cursor, JobId } from '@ajs/job-state';
import { FakeArmada, eventually } from '@ajs/testing';
import { status } from '@grpc/grpc-js';
import {
  PermissionProbe,
  createArmadaClient,
  createForwardingChannels,
  isUnreachable,
  type ArmadaClient,
  type EndedCall,
} from './index.js';

const KEY = { queue: 'q', jobSetId: 's' };

let armada: FakeArmada;
let address: string;
let client: ArmadaClient;
let ended: EndedCall[];

beforeEach(async () => {
  armada = new FakeArmada();
  armada.state.queues.add('q');
  address = await armada.listen('127.0.0.1:0');
  ended = [];
  client = createArmadaClient({
    transport: withoutTls(address),
    identity: anonymous,
    maxMessageBytes: 1_000_000,
    callsPerSecond: 20,
    observer: (call) => ended.push(call),
  });
});
afterEach(() => {
  client.close();
  armada.stop();
});

function open(watch: boolean, queue = 'q') {
  const counter = { unknownKind: () => undefined, malformed: () => undefined };
  const listener = { message: () => undefined, end: () => undefined };
  return client.events(counter).open({ key: { ...KEY, queue }, from: Cursor(''), watch }, listener);
}

describe('a call to Armada', () => {
  it('is observed with its method, its code and its time', async () => {
    await client.jobs.status([JobId('01m85vrgp7whz55kx8f03d6510')]);
    open(false);
    open(false, 'unknown');
    await eventually('they have ended', () => ended.length === 3);
    expect(ended.map(({ method, code }) => [method, code])).toEqual([
      ['api.Jobs/GetJobStatus', status.OK],
      ['api.Event/GetJobSetEvents', status.OK],
      ['api.Event/GetJobSetEvents', status.NOT_FOUND],
    ]);
    for (const { seconds } of ended) expect(seconds).toBeGreaterThan(0);
    expect(ended[2]?.details).toContain('unknown');
  });

  it('that is a watch has a name of its own, and no time', async () => {
    open(true);
    await eventually('it is open', () => armada.events.streams === 1);
    armada.events.endStreams(status.UNAVAILABLE);
    await eventually('it has ended', () => ended.length === 1);
    expect(ended).toMatchObject([
      { method: 'api.Event/GetJobSetEvents (watch)', code: status.UNAVAILABLE, seconds: undefined },
    ]);
  });

  it('that never reached a server is observed, too', async () => {
    armada.stop();
    await expect(client.health()).rejects.toThrow('UNAVAILABLE');
    expect(ended).toMatchObject([{ method: 'api.Event/Health', code: status.UNAVAILABLE }]);
  });

  it('that checks a permission is observed', async () => {
    const checks = createForwardingChannels(withoutTls(address), 1_000, (call) => ended.push(call));
    expect(await new PermissionProbe(checks).mayWatch(undefined, 'q')).toBe('yes');
    checks.close();
    expect(ended).toMatchObject([{ method: 'api.Event/GetJobSetEvents', code: status.OK }]);
  });

  it('leaves it open whether Armada can be reached where it may have met something else, or nothing', () => {
    const codes = Object.values(status).filter((code) => typeof code === 'number');
    expect(codes.filter(isUnreachable).map((code) => status[code])).toEqual([
      'UNKNOWN',
      'DEADLINE_EXCEEDED',
      'INTERNAL',
      'UNAVAILABLE',
    ]);
  });
});
