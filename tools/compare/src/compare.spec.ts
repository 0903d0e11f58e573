import {
  JobServiceResponse_State,
  JobServiceService,
  type JobServiceServer,
} from '@ajs/contracts/jobservice/jobservice';
import { eventually } from '@ajs/testing';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { compare } from './compare.js';
import { Comparison, type Finding, type JobRef, type StateName } from './comparison.js';
import { findingLine, summary } from './report.js';
import { Side } from './side.js';

/** A job service that says what a test tells it to; `undefined`: it fails the call. */
class FakeJobService {
  readonly states = new Map<string, StateName | undefined>();
  polls = 0;
  side!: Side;
  private readonly server = new Server();

  async start(): Promise<this> {
    const implementation: JobServiceServer = {
      getJobStatus: ({ request }, answer) => {
        this.polls++;
        const state = this.states.get(request.jobId);
        if (state === undefined) answer({ code: status.UNAVAILABLE, details: 'out of service' });
        else answer(null, { state: JobServiceResponse_State[state], error: '' });
      },
      health: (_, answer) => answer({ code: status.UNIMPLEMENTED }),
    };
    this.server.addService(JobServiceService, implementation);
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.side = new Side({ address: `127.0.0.1:${port}`, tls: false });
    return this;
  }

  stop(): void {
    this.side.close();
    this.server.forceShutdown();
  }
}

let old: FakeJobService;
let now: FakeJobService;
beforeEach(async () => {
  old = await new FakeJobService().start();
  now = await new FakeJobService().start();
});
afterEach(() => {
  old.stop();
  now.stop();
});

const ref = (jobId: string): JobRef => ({ queue: 'q', jobSetId: 's', jobId });
const JOBS = ['a', 'b', 'c'].map(ref);
const both = (state: StateName): void => {
  for (const service of [old, now]) for (const { jobId } of JOBS) service.states.set(jobId, state);
};

async function compared(toleranceMs: number, signal = new AbortController().signal, perSecond = 1_000) {
  const comparison = new Comparison(toleranceMs);
  const findings: Finding[] = [];
  const { refs, polls } = await compare(
    {
      comparison,
      old: old.side,
      new: now.side,
      jobs: () => Promise.resolve(JOBS),
      perSecond,
      onFinding: (finding) => findings.push(finding),
    },
    signal,
  );
  return { findings, polls, ...summary(comparison, refs, polls) };
}

it('names the one job that one of the services lies about, and ends since nothing can change any more', async () => {
  both('SUCCEEDED');
  old.states.set('b', 'FAILED');
  const { findings, areAlike, text } = await compared(500);
  expect(findings).toMatchObject([{ kind: 'differ', ref: ref('b'), old: { state: 'FAILED' } }]);
  expect(areAlike).toBe(false);
  expect(text).toContain('2 ended alike');
  expect(text).toContain('differs  "q" "s" "b": old FAILED, new SUCCEEDED, for ');
});

it('waits for a service that lags, and finds both alike once it has caught up', async () => {
  both('RUNNING');
  now.states.set('a', 'SUBMITTED');
  const running = compared(60_000);
  await eventually('both were asked', () => old.polls >= JOBS.length && now.polls >= JOBS.length);
  old.states.set('b', 'SUCCEEDED');
  const asked = now.polls;
  await eventually('both were asked again', () => now.polls >= asked + JOBS.length);
  both('SUCCEEDED');
  expect(await running).toMatchObject({ findings: [], areAlike: true });
});

it('a service that does not answer differs from one that does, with its error', async () => {
  both('SUCCEEDED');
  now.states.delete('c');
  const stopped = new AbortController();
  const running = compared(500, stopped.signal);
  setTimeout(() => stopped.abort(), 2_500);
  const { findings, areAlike } = await running;
  expect(findings).toMatchObject([{ ref: ref('c'), new: { text: 'UNAVAILABLE: out of service' } }]);
  expect(areAlike).toBe(false);
});

it('polls each side no faster than it may', async () => {
  both('RUNNING');
  const beganAt = performance.now();
  const { polls } = await compared(60_000, AbortSignal.timeout(2_000), 2);
  const seconds = (performance.now() - beganAt) / 1_000;
  expect(polls).toBeLessThanOrEqual(2 * seconds + 1);
  expect([old.polls, now.polls]).toEqual([polls, polls]);
});

it('a line says since when two answers differ, and lets no name move the cursor of a terminal', () => {
  const finding: Finding = {
    kind: 'differ',
    ref: { queue: 'q', jobSetId: 's\u001b[2J', jobId: 'j' },
    old: { state: 'RUNNING', text: '' },
    new: { text: 'UNAVAILABLE: x\n' },
    forMs: 60_000,
  };
  expect(findingLine(finding, new Date('2026-11-01T10:01:00Z'))).toBe(
    '2026-11-01T10:01:00.000Z  "q" "s\\u001b[2J" "j" differs: old RUNNING, new no state ("UNAVAILABLE: x\\n"), since 2026-11-01T10:00:00.000Z',
  );
});
