import { execFile } from 'node:child_process';
import { AppProcess } from './app-process.js';
import { patiently } from './patiently.js';
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
    await patiently('jobs move', () => start.output.includes('RUNNING -> SUCCEEDED'));
    expect(start.output).toMatch(
      /grpcurl -plaintext -d '.*' 127\.0\.0\.1:\d+ jobservice\.JobService\/GetJobStatus/,
    );
    const [job, wait, events] = start.output.match(/^ {2}curl .*$/gm) ?? [];
    expect(JSON.parse(await printed(job))).toMatchObject({ job: { ref: { queue: 'demo' } } });
    expect(JSON.parse(await printed(wait))).toMatchObject({ job: { terminal: true } });
    // It never ends by itself.
    await patiently('it prints events', async () =>
      /^event: job\ndata: .*"queue":"demo"/m.test(await printed(`${events} --max-time 3`)),
    );
    const children = childrenOf(start.pid);
    // Redis, Armada, both applications, and whoever cleans up after a process that is killed.
    expect(children).toHaveLength(5);
    start.signal('SIGINT');
    expect(await start.ended()).toBe(0);
    await patiently('none of them is left', () => !children.some(isAlive));
  }, 180_000);

  it('rejects arguments that contradict each other', async () => {
    const start = run('dist/tools/start/main.js', {}, ['--armada', 'x:1']);
    expect(await start.ended()).toBe(2);
    expect(start.output).toContain('--armada, --queue and --job-set must be given together');
  }, 120_000);
});
