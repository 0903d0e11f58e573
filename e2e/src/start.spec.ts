import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { eventually } from '@ajs/testing';
import { AppProcess } from './app-process.js';

const apps: AppProcess[] = [];
afterEach(() => Promise.all(apps.splice(0).map((app) => app.kill())));

function run(...args: ConstructorParameters<typeof AppProcess>): AppProcess {
  const app = new AppProcess(...args);
  apps.push(app);
  return app;
}

/** What a command for a shell prints until it ends, however it ends. */
const printed = (command = ''): Promise<string> =>
  new Promise((resolve) => execFile('sh', ['-c', command], (_, stdout) => resolve(stdout)));

describe('npm start', () => {
  it('shows how jobs move and how to call the query, and ends all its processes on Ctrl-C', async () => {
    const start = run('dist/tools/start/main.js', {});
    await eventually('jobs move', () => start.output.includes('RUNNING -> SUCCEEDED'), 40_000);
    expect(start.output).toMatch(
      /grpcurl -plaintext -d '.*' 127\.0\.0\.1:\d+ jobservice\.JobService\/GetJobStatus/,
    );
    const [job, wait, events] = start.output.match(/^ {2}curl .*$/gm) ?? [];
    expect(JSON.parse(await printed(job))).toMatchObject({ job: { ref: { queue: 'demo' } } });
    expect(JSON.parse(await printed(wait))).toMatchObject({ job: { terminal: true } });
    expect(await printed(`${events} --max-time 3`)).toMatch(/^event: job\ndata: .*"queue":"demo"/m);
    const children = childrenOf(start.pid);
    expect(children.length).toBe(4);
    start.signal('SIGINT');
    expect(await start.ended(15_000)).toBe(0);
    expect(children.filter(isAlive)).toEqual([]);
  }, 70_000);

  it('rejects arguments that contradict each other', async () => {
    const start = run('dist/tools/start/main.js', {}, ['--armada', 'x:1']);
    expect(await start.ended()).toBe(2);
    expect(start.output).toContain('--armada, --queue and --job-set must be given together');
  }, 30_000);
});

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    // The program's name is in brackets and may hold any character.
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) \S /s, '')
        .split(' ')[0],
    );
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
