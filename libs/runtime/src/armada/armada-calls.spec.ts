import { Metrics, createLog } from '@ajs/observability';
import { status } from '@grpc/grpc-js';
import { ArmadaCalls } from './armada-calls.js';

let lines: { readonly level: string; readonly msg: string }[];
let metrics: Metrics;

function callsWith(credentials: string): ArmadaCalls {
  const log = createLog('app', 'info', {
    write: (line) => lines.push(JSON.parse(line) as (typeof lines)[0]),
  });
  return new ArmadaCalls(log, metrics, credentials);
}

const call = (method: string, code: status, seconds?: number) => ({
  method,
  code,
  details: 'because',
  seconds,
});
const STATUS = 'api.Jobs/GetJobStatus';

beforeEach(() => {
  lines = [];
  metrics = new Metrics();
});

describe('calls to Armada', () => {
  it('are counted by method, identity and code, and measured unless they are watches', async () => {
    const calls = callsWith('none');
    calls.own(call(STATUS, status.OK, 0.5));
    calls.own(call(STATUS, 99 as status, 0.5));
    calls.own(call('api.Event/GetJobSetEvents (watch)', status.CANCELLED));
    calls.ofCallers(call('api.Event/GetJobSetEvents', status.UNAUTHENTICATED, 0.5));
    expect((await metrics.upstreamCalls.get()).values).toMatchObject([
      { labels: { method: STATUS, identity: 'own', code: 'OK' }, value: 1 },
      { labels: { method: STATUS, identity: 'own', code: 'UNKNOWN' }, value: 1 },
      { labels: { identity: 'own', code: 'CANCELLED' }, value: 1 },
      { labels: { identity: 'caller', code: 'UNAUTHENTICATED' }, value: 1 },
    ]);
    const measured = (await metrics.upstreamCallSeconds.get()).values;
    expect(measured.filter(({ metricName }) => metricName?.endsWith('_sum'))).toMatchObject([
      { labels: { method: STATUS }, value: 1 },
      { labels: { method: 'api.Event/GetJobSetEvents' }, value: 0.5 },
    ]);
  });

  it.each([
    ['none', 'Armada requires credentials, and none are configured; set armadaAuth or ARMADACTL_CONFIG'],
    [
      'basicAuth',
      'Armada rejects the credentials of this service; check basicAuth in armadaAuth, or in the file of ARMADACTL_CONFIG',
    ],
  ])('that Armada rejects our credentials for are one error, which says what to do: %s', (kind, msg) => {
    const calls = callsWith(kind);
    for (let i = 0; i < 3; i++) calls.own(call(STATUS, status.UNAUTHENTICATED));
    expect(lines).toMatchObject([{ level: 'error', msg, method: STATUS, reason: 'because' }]);
  });

  it('that Armada does not permit are an error for each method, but for those on a queue', () => {
    const calls = callsWith('basicAuth');
    calls.own(call(STATUS, status.PERMISSION_DENIED));
    calls.own(call('api.QueueService/GetQueue', status.PERMISSION_DENIED));
    calls.own(call('api.Event/GetJobSetEvents', status.PERMISSION_DENIED));
    expect(lines.map(({ level, msg }) => `${level} ${msg}`)).toEqual([
      `error Armada does not permit this service to call ${STATUS}; grant its user the permission`,
      'error Armada does not permit this service to call api.QueueService/GetQueue; grant its user the permission',
    ]);
  });

  it('with the credentials of callers are never logged', () => {
    callsWith('basicAuth').ofCallers(call(STATUS, status.UNAUTHENTICATED));
    callsWith('basicAuth').ofCallers(call(STATUS, status.PERMISSION_DENIED));
    expect(lines).toEqual([]);
  });

  it('that may have failed for want of Armada are passed on, others are not', () => {
    const calls = callsWith('none');
    let failures = 0;
    calls.onUnreachable = () => failures++;
    for (const code of [status.OK, status.NOT_FOUND, status.UNAUTHENTICATED, status.CANCELLED]) {
      calls.own(call(STATUS, code));
    }
    expect(failures).toBe(0);
    for (const code of [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.INTERNAL])
      calls.own(call(STATUS, code));
    expect(failures).toBe(3);
  });
});
