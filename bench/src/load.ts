import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { JobSetKey } from '@ajs/job-state';
import { endWithThisProcess } from '@ajs/testing';

export interface Load {
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadOptions {
  /** The path from {@link buildLoadGenerator}. */
  readonly binary: string;
  readonly port: number;
  readonly jobSet: JobSetKey;
  readonly jobIds: readonly string[];
  /** The full name of the method; left out: `jobservice.JobService/GetJobStatus`. */
  readonly method?: string;
  /** Ids per call, where the method is one of `api.Jobs`; every answer must hold as many states. */
  readonly batch?: number;
  /** The number of the state that every answer must have; left out: any. */
  readonly state?: number;
  readonly seconds: number;
  /** Calls at once; left out: 64. */
  readonly callers?: number;
  /** Makes each call once, and ends before `seconds` have passed. */
  readonly once?: boolean;
  /** Sent with every call. */
  readonly authorization?: string;
  /** The CA file for the server's certificate; left out: no TLS. */
  readonly ca?: string;
}

/** Builds the load generator, written in Go so that the client is not the bottleneck; returns its path. */
export function buildLoadGenerator(): string {
  const folder = join(process.cwd(), 'tmp/bench');
  mkdirSync(folder, { recursive: true });
  const binary = join(folder, 'load');
  try {
    execFileSync('go', ['build', '-o', binary, '.'], {
      cwd: 'bench/load',
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? '`go` is not on the PATH'
        : '`go build` failed, see above';
    throw new Error(
      `the load generator in bench/load was not built: ${why}. It needs Go 1.24 or later (https://go.dev/dl); ` +
        'the other benchmarks run without it: --only throughput, latency or bytes',
      { cause: error },
    );
  }
  return binary;
}

/** Polls jobs as fast as so many concurrent calls over 4 connections allow. Rejects on an error or an unexpected answer. */
export async function load(options: LoadOptions): Promise<Load> {
  const { binary, port, jobSet, jobIds, method, batch, state, seconds, callers } = options;
  const { authorization, ca } = options;
  const args = ['--target', `127.0.0.1:${port}`, '--seconds', `${seconds}`];
  args.push('--queue', jobSet.queue, '--job-set', jobSet.jobSetId);
  if (callers !== undefined) args.push('--callers', `${callers}`);
  if (method !== undefined) args.push('--method', `/${method}`);
  if (batch !== undefined) args.push('--batch', `${batch}`);
  if (options.once === true) args.push('--once');
  if (authorization !== undefined) args.push('--authorization', authorization);
  if (ca !== undefined) args.push('--ca', ca);
  if (state !== undefined) args.push('--state', `${state}`);
  const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  endWithThisProcess(child);
  const closed = once(child, 'close');
  child.stdin.end(jobIds.join('\n'));
  let output = '';
  for await (const chunk of child.stdout) output += String(chunk);
  const [code] = (await closed) as [number | null];
  if (code !== 0) throw new Error(`the load generator ended with ${code}, see above`);
  return JSON.parse(output) as Load;
}
