import { createArmadaClient, type ArmadaClient } from '@ajs/armada-client';
import { anonymous, withoutTls } from '@ajs/armada-credentials';
import { JobRunningEvent } from '@ajs/contracts/api/event';
import { JobId } from '@ajs/job-state';
import { MemoryJobStore } from '@ajs/job-store/testing';
import { BatchPacer, JobSetReflector, REFLECTOR_TIMING, Reconciler } from '@ajs/subscriptions';
import { armadaNow } from '@ajs/platform';
import { FakeArmada, eventually, jobEvents, type JobRef } from '@ajs/testing';

const KEY = { queue: 'q', jobSetId: 's' };
const BEFORE = '01m85vnck01jqpr3vd00000001';
const INSIDE = '01m85vnck01jqpr3vd00000002';
const AFTER = '01m85vnck01jqpr3vd00000003';
const GARBAGE = Buffer.from('<html>502 Bad Gateway</html>');
const MAX_MESSAGE_BYTES = 100_000;
const MAX_LONG_MESSAGE_BYTES = 400_000;
const ignore = (): void => undefined;
const ref = (jobId: string): JobRef => ({ ...KEY, jobId });

let fake: FakeArmada;
let armada: ArmadaClient;
let reflector: JobSetReflector;
let store: MemoryJobStore;
let ends: string[];
let skipped: string[];

beforeEach(async () => {
  fake = new FakeArmada({ eventDelayMs: [0, 0] });
  fake.state.queues.add('q');
  armada = createArmadaClient({
    transport: withoutTls(await fake.listen('127.0.0.1:0')),
    identity: anonymous,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    maxLongMessageBytes: MAX_LONG_MESSAGE_BYTES,
    callsPerSecond: 1_000,
  });
  store = new MemoryJobStore();
  ends = [];
  skipped = [];
});

afterEach(() => {
  reflector.stop();
  armada.close();
  fake.stop();
});

function follow(): void {
  reflector = new JobSetReflector({
    key: KEY,
    sink: store,
    source: armada.events({ unknownKind: ignore, malformed: ignore }),
    lease: { isHeld: () => true, whenHeld: () => Promise.resolve() },
    quota: {
      isWatched: true,
      isForgotten: () => Promise.resolve(false),
      admitRead: () => Promise.resolve(),
      nextStep: () => Promise.resolve('watch'),
      releaseWatch: ignore,
      scheduleRead: (ms) => ms,
    },
    observer: {
      streamEnded: (_, { kind, reason }) => ends.push(`${kind} ${reason}`),
      messageSkipped: ({ queue, jobSetId }, after) => skipped.push(`${queue}/${jobSetId} after ${after}`),
      eventsLag: ignore,
      batchWritten: ignore,
      reloading: ignore,
      staleWriter: ignore,
      writeFailed: ignore,
    },
    reconciler: new Reconciler({
      armada: { terminalStatesOf: () => Promise.resolve(new Map()) },
      observer: { repaired: ignore, roundEnded: ignore, switchedOff: ignore },
      unfinishedAfterMs: 3_600_000,
      eventRetentionMs: 3_600_000,
      now: armadaNow,
    }),
    pacer: new BatchPacer(),
    timing: { ...REFLECTOR_TIMING, firstRetryMs: 1, maxRetryMs: 5 },
  });
  void reflector.run();
}

const log = () => fake.state.openLog(KEY.queue, KEY.jobSetId);
const stateOf = async (jobId: string) =>
  (await store.read(KEY, [JobId(jobId)])).jobs.get(JobId(jobId))?.state;
const subscription = async () => (await store.read(KEY, [])).subscription;

/** A message that says that the job runs, of about so many bytes. */
function appendLong(jobId: string, bytes: number): void {
  const value = { ...JobRunningEvent.decode(new Uint8Array()), ...ref(jobId), nodeName: 'n'.repeat(bytes) };
  log().append([{ events: { $case: 'running', value } }]);
}

describe('a message that cannot be read', () => {
  it('is skipped after three tries and reported once, and the jobs after it are seen', async () => {
    log().append(jobEvents.leased(ref(BEFORE)));
    log().appendRecorded([{ id: '9795493217053:0:0:1', bytes: GARBAGE }]);
    log().append(jobEvents.leased(ref(AFTER)));
    follow();
    await eventually('the job after it is seen', async () => (await stateOf(AFTER)) === 'LEASED');
    expect(await stateOf(BEFORE)).toBe('LEASED');
    expect(ends).toEqual(Array(3).fill(expect.stringMatching(/^unreadable .*cannot be read/)));
    expect(skipped).toEqual([expect.stringMatching(/^q\/s after \d+:0:0:1$/)]);
    await eventually('it is live', async () => (await subscription())?.state === 'live');
  });

  it('and is the last leaves the job set live, and what comes later is seen', async () => {
    log().append(jobEvents.leased(ref(BEFORE)));
    log().appendRecorded([{ id: '9795493217053:0:0:1', bytes: GARBAGE }]);
    follow();
    await eventually('it is live', async () => (await subscription())?.state === 'live');
    await eventually('it is watched', () => fake.events.watches === 1);
    log().append(jobEvents.leased(ref(AFTER)));
    await eventually('the job after it is seen', async () => (await stateOf(AFTER)) === 'LEASED');
    expect([ends.length, skipped.length]).toEqual([3, 1]);
  });

  it('and comes while the job set is watched is skipped as well', async () => {
    log().append(jobEvents.leased(ref(BEFORE)));
    follow();
    await eventually('it is watched', () => fake.events.watches === 1);
    log().appendRecorded([{ id: '9795493217053:0:0:1', bytes: GARBAGE }]);
    log().append(jobEvents.leased(ref(AFTER)));
    await eventually('the job after it is seen', async () => (await stateOf(AFTER)) === 'LEASED');
    expect([ends.length, skipped.length]).toEqual([3, 1]);
  });

  it('but is only longer than MAX_MESSAGE_BYTES is read after all: nothing is lost', async () => {
    log().append(jobEvents.leased(ref(BEFORE)));
    appendLong(INSIDE, 2 * MAX_MESSAGE_BYTES);
    log().append(jobEvents.leased(ref(AFTER)));
    follow();
    await eventually('the job after it is seen', async () => (await stateOf(AFTER)) === 'LEASED');
    expect(await stateOf(BEFORE)).toBe('LEASED');
    expect(await stateOf(INSIDE)).toBe('RUNNING');
    expect(ends).toEqual(
      Array(3).fill(expect.stringMatching(/^unreadable .*larger than max.*MAX_MESSAGE_BYTES/)),
    );
    expect(skipped).toEqual([]);
  });

  it('and is longer than what is read at all keeps the job set where it is, which says why', async () => {
    log().append(jobEvents.leased(ref(BEFORE)));
    appendLong(INSIDE, MAX_LONG_MESSAGE_BYTES);
    follow();
    await eventually('it is tried again and again', () => ends.length > 5);
    expect(await stateOf(BEFORE)).toBe('LEASED');
    expect(await subscription()).toMatchObject({
      state: 'connecting',
      reason: expect.stringMatching(/larger than max \(400\d+ vs 400000\) \(MAX_MESSAGE_BYTES\)/) as string,
    });
    expect(skipped).toEqual([]);
  });
});
