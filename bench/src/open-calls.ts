import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { JobId, JobSetKey } from '@ajs/job-state';
import { endWithThisProcess } from '@ajs/testing';
import { QUEUE } from './fake-events.js';

/** A call that waits for a job, or one that watches a job set until one of its jobs ends. */
export type OpenCall = { readonly key: JobSetKey; readonly jobId?: JobId };

/** How such a call ended. */
export interface EndedCall {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** How many jobs it sent; of a wait 1 where it saw the end of its job. */
  readonly jobs: number;
  /** By name, as Go has it: `OK`, `ResourceExhausted`. */
  readonly code: string;
  /** Of a wait. */
  readonly jobId: string;
}

export interface OpenCallsOptions {
  /** The path of the load generator. */
  readonly binary: string;
  readonly port: number;
  readonly connections: number;
  /** How fast they are begun. */
  readonly perSecond: number;
  /** For each call that ends. */
  readonly onEnd: (call: EndedCall) => void;
}

/** Calls from a process of their own. */
export class OpenCalls {
  private constructor(
    /** Resolves once all calls have ended. */
    readonly ended: Promise<unknown>,
    private readonly kill: () => void,
  ) {}

  static start(calls: readonly OpenCall[], options: OpenCallsOptions): OpenCalls {
    const { binary, port, connections, perSecond, onEnd } = options;
    const args = [
      '--open',
      '--target',
      `127.0.0.1:${port}`,
      '--connections',
      `${connections}`,
      '--queue',
      QUEUE,
    ];
    args.push('--opened-per-second', `${perSecond}`);
    const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(calls.map(({ key, jobId }) => [key.jobSetId, jobId ?? []].flat().join(' ')).join('\n'));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [micros, jobs, code = '', jobId = ''] = line.split(' ');
      onEnd({ atMs: Number(micros) / 1_000, jobs: Number(jobs), code, jobId });
    });
    endWithThisProcess(child);
    return new OpenCalls(once(child, 'close'), () => void child.kill('SIGKILL'));
  }

  async stop(): Promise<void> {
    this.kill();
    await this.ended;
  }
}

/** The present, by the clock of {@link EndedCall}. Milliseconds since 1970. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
