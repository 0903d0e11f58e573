import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Load {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Builds the load generator, which is written in Go so that the client is not the limit; gives its path. */
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
    throw new Error(
      'the load generator of bench/load could not be built; Go 1.24 or later is needed (https://go.dev/dl)',
      {
        cause: error,
      },
    );
  }
  return binary;
}

/** Polls these jobs at one address, as fast as 64 concurrent calls over 4 connections can. */
export async function load(
  binary: string,
  port: number,
  jobIds: readonly string[],
  seconds: number,
): Promise<Load> {
  const child = spawn(binary, ['--target', `127.0.0.1:${port}`, '--seconds', `${seconds}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(jobIds.join('\n'));
  let output = '';
  for await (const chunk of child.stdout) output += String(chunk);
  return JSON.parse(output) as Load;
}
