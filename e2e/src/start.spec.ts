import { execFile } from 'node:child_process';
import { eventually } from '@ajs/testing';
import { AppProcess } from './app-process.js';
import { childrenOf, isAlive } from './process-figures.js';

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
    // Redis, Armada, both applications, and whoever cleans up after a process that is killed.
    expect(children).toHaveLength(5);
    start.signal('SIGINT');
    expect(await start.ended()).toBe(0);
    await eventually('none of them is left', () => !children.some(isAlive));
  }, 90_000);

  it('rejects arguments that contradict each other', async () => {
    const start = run('dist/tools/start/main.js', {}, ['--armada', 'x:1']);
    expect(await start.ended()).toBe(2);
    expect(start.output).toContain('--armada, --queue and --job-set must be given together');
  }, 30_000);
});
