import type { App, Patch } from '../patched-build.js';
import {
  endsAreRecordedBeforeTheyAreReported,
  pollsBringTheNextReadForward,
  refusedWritesAreRetried,
  reportedStatesAreKept,
  stoppingHandsOver,
  storedJobsAreReadAsWritten,
  unreadableRecordsHideNoNeighbour,
  type Check,
} from './checks.js';

/** A defect that a check must find. */
export interface PlantedBug {
  readonly app: App;
  readonly patches: readonly Patch[];
  readonly check: Check;
  /** What the failed assertion says. */
  readonly foundBy: RegExp;
}

export const PLANTED_BUGS: Readonly<Record<string, PlantedBug>> = {
  'changed numbers of stored fields': {
    app: 'query',
    patches: [
      {
        file: 'libs/job-store/src/codec/record-layout.ts',
        from: `runningAt: 9,
  endedAt: 10,`,
        to: 'runningAt: 10, endedAt: 9,',
      },
    ],
    check: storedJobsAreReadAsWritten,
    foundBy: /"startedTs": undefined/,
  },
  'a swallowed error': {
    app: 'ingester',
    patches: [
      {
        file: 'libs/job-store/src/redis/redis-job-set-writer.ts',
        from: `this.strings.rollBack();
      throw error;`,
        to: 'this.strings.rollBack(); return Date.now();',
      },
    ],
    check: refusedWritesAreRetried,
    foundBy: /Expected: "SUCCEEDED"\s+Received: "RUNNING"/,
  },
  'a lost wake-up': {
    app: 'query',
    patches: [
      {
        file: 'libs/subscriptions/src/assignment/read-requests.ts',
        from: 'await this.workQueue.promote(key);',
        to: '',
      },
    ],
    check: pollsBringTheNextReadForward,
    foundBy: /-\s+"state": "RUNNING"[^]*\+\s+"state": "CONNECTION_ERR"/,
  },
  'Redis closed before the hand-over': {
    app: 'ingester',
    patches: [
      {
        file: 'libs/runtime/src/redis/redis-connections.ts',
        from: 'onApplicationShutdown(): void {',
        to: 'onModuleDestroy(): void {',
      },
    ],
    check: stoppingHandsOver,
    foundBy: /Redis command failed/,
  },
  'one unreadable record fails the whole read': {
    app: 'query',
    patches: [
      {
        file: 'libs/job-store/src/redis/redis-lister.ts',
        from: 'if (!(error instanceof UnreadableRecordError)) throw error;',
        to: 'throw error;',
      },
    ],
    check: unreadableRecordsHideNoNeighbour,
    foundBy: /-\s+"state": "RUNNING"[^]*\+\s+"state": "CONNECTION_ERR"/,
  },
  'an end that is reported and not recorded': {
    app: 'query',
    patches: [
      {
        file: 'apps/query/src/upstream/upstream-job-resolver.ts',
        from: 'const held = await recorder.record(reported.values());',
        to: 'const held = new Map<JobId, JobStatus>();',
      },
    ],
    check: endsAreRecordedBeforeTheyAreReported,
    foundBy: /Expected: "SUCCEEDED"\s+Received: "CONNECTION_ERR"/,
  },
  'a reported state that the stream takes back': {
    app: 'ingester',
    patches: [
      {
        file: 'libs/job-state/src/fold.ts',
        from: 'if (saysState && compareStages(stageOf(streamed), stageOf(record)) >= 0) {',
        to: 'if (saysState) {',
      },
    ],
    check: reportedStatesAreKept,
    foundBy: /Expected: "RUNNING"\s+Received: "SUBMITTED"/,
  },
};
