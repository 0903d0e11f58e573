import {
  JobStatusServiceService,
  WatchJobSetResponse,
  WatchJobsRequest,
  WatchJobsResponse,
  type WatchJobSetRequest,
} from '@ajs/contracts/jobservice/v2/job_status_service';
import { ArmadaTime, JobId, type JobSetKey, type JobState } from '@ajs/job-state';
import type { ChangedJob } from '@ajs/job-store';
import { Generation } from '@ajs/redis-keys';
import { status } from '@grpc/grpc-js';
import type { JobSetEvent } from '../changes/job-set-stream.js';
import type { StreamMethod } from '../grpc/server-stream.js';
import { testCaller } from '../testing/test-caller.js';
import { KEY, refOf } from './testing/v2-harness.js';
import { v2Streams } from './v2-streams.js';

const changed = (jobId: string, state?: JobState): ChangedJob => ({
  jobId: JobId(jobId),
  generation: Generation('g'),
  revision: 1,
  ...(state && { job: { record: { state, runNumber: 1, changedAt: ArmadaTime(1) }, enrichment: {} } }),
});
const job = (jobId: string, state?: JobState): JobSetEvent => ({
  kind: 'job',
  changed: changed(jobId, state),
  token: `behind ${jobId}`,
});

let events: readonly JobSetEvent[];
/** What the watches were called with. */
let watched: unknown[];
let answered: string[];
let sent: Buffer[];
let methods: readonly StreamMethod[];
beforeEach(() => {
  watched = [];
  answered = [];
  sent = [];
  methods = v2Streams({
    watchers: {
      jobSets: {
        watch: async (key: JobSetKey, token, _caller, send) => {
          watched.push({ key, token });
          await send(events);
          return undefined as never;
        },
      },
      jobs: {
        watch: async ({ refs }, _caller, send) => {
          watched.push(refs);
          await send({ ref: refs[0], result: undefined, freshness: undefined });
        },
      },
    },
    failed: (error) => error as never,
    answered: (method, code, seconds) => answered.push(`${method} ${status[code]} ${seconds}`),
  });
});

function methodOf(definition: { readonly path: string }): StreamMethod {
  const method = methods.find((each) => each.definition.path === definition.path);
  if (method === undefined) throw new Error(`there is no ${definition.path}`);
  return method;
}

async function call(definition: { readonly path: string }, request: unknown): Promise<Buffer[]> {
  const send = (frames: Buffer): undefined => void sent.push(frames);
  await methodOf(definition).stream(request, testCaller(), { send });
  return sent.flatMap(messagesIn);
}

/** As gRPC frames them. */
function messagesIn(frames: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let from = 0; from < frames.length;) {
    const end = from + 5 + frames.readUInt32BE(from + 1);
    messages.push(frames.subarray(from + 5, end));
    from = end;
  }
  return messages;
}

describe('WatchJobSet', () => {
  const watch = async (request: Partial<WatchJobSetRequest> = {}): Promise<string[]> => {
    const defaults = { queue: KEY.queue, jobSet: KEY.jobSetId, resumeToken: '', onlyTerminal: false };
    const messages = await call(JobStatusServiceService.watchJobSet, { ...defaults, ...request });
    return messages.map((message) => {
      const { event, resumeToken } = WatchJobSetResponse.decode(message);
      const what = event?.$case === 'job' ? event.value.ref?.jobId : event?.$case;
      return `${what}, ${resumeToken}`;
    });
  };

  it('sends each event with the token that resumes behind it, but no job that cannot be shown', async () => {
    events = [job('a', 'RUNNING'), job('newer'), job('b', 'FAILED'), { kind: 'snapshot-end', token: 'end' }];
    expect(await watch()).toEqual(['a, behind a', 'b, behind b', 'snapshotEnd, end']);
  });

  it('sends no job that has not ended where only those that have are wanted', async () => {
    const bookmark = { kind: 'bookmark', moment: undefined, token: 'later' } as const;
    events = [job('a', 'RUNNING'), job('newer'), job('b', 'FAILED'), bookmark];
    expect(await watch({ onlyTerminal: true })).toEqual(['b, behind b', 'bookmark, later']);
  });

  it('sends nothing, and waits for nothing, where nothing of some events is wanted', async () => {
    events = [job('a', 'RUNNING')];
    await watch({ onlyTerminal: true });
    expect(sent).toEqual([]);
  });

  it('goes on behind the token of its request', async () => {
    events = [];
    await watch({ resumeToken: 'behind a' });
    expect(watched).toEqual([{ key: KEY, token: 'behind a' }]);
  });
});

describe('WatchJobs', () => {
  it('sends each result', async () => {
    const refs = [refOf('a')];
    const messages = await call(JobStatusServiceService.watchJobs, { refs });
    expect(messages.map((message) => WatchJobsResponse.decode(message).result?.ref)).toEqual(refs);
  });

  it('is rejected for too many refs before its request is decoded', () => {
    const encoded = (count: number) =>
      Buffer.from(
        WatchJobsRequest.encode({ refs: Array.from({ length: count }, () => refOf('a')) }).finish(),
      );
    const method = methodOf(JobStatusServiceService.watchJobs);
    method.check?.(encoded(1_000));
    expect(() => method.check?.(encoded(1_001))).toThrow('more than the 1000');
  });
});

it('each stream is counted by its method, its code and how long it took', () => {
  methodOf(JobStatusServiceService.watchJobSet).ended(status.CANCELLED, 1);
  methodOf(JobStatusServiceService.watchJobs).ended(status.OK, 2);
  expect(answered).toEqual(['watchJobSet CANCELLED 1', 'watchJobs OK 2']);
});
