import type { App, Patch } from '../patched-build.js';
import { pollsBringTheNextReadForward, refusedWritesAreRetried, type Check } from './checks.js';

/** A defect that a check must find. */
export interface PlantedBug {
  readonly app: App;
  readonly patches: readonly Patch[];
  readonly check: Check;
  /** What the failed assertion says. */
  readonly foundBy: RegExp;
}

export const PLANTED_BUGS: Readonly<Record<string, PlantedBug>> = {
  'a swallowed error': {
    app: 'ingester',
    patches: [
      {
        file: 'libs/job-store/src/redis/redis-sink.ts',
        from: `      throw error;
    }
  }

  async reload()`,
        to: `    }
  }

  async reload()`,
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
};
