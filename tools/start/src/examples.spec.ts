import { execFileSync } from 'node:child_process';
import { exampleCommands } from './examples.js';

/** The words of a command, as a shell gives them to its program. */
function wordsOf(command: string): string[] {
  const [program = ''] = command.split(' ');
  const script = `${program}() { printf '%s\\n' "$@"; }\n${command}`;
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n');
}

it.each(['demo', "it's", '$(exit 1)', 'a b&c;d', '(a)*!', 'ü/%'])(
  'names a job set called %s so that a shell passes it on',
  (name) => {
    const key = { queue: name, jobSetId: name };
    const target = { key, jobId: 'j', grpc: '127.0.0.1:1', http: '127.0.0.1:2' };
    const [poll, job, wait, events] = exampleCommands(target).map(wordsOf);
    expect(JSON.parse(poll?.[2] ?? '')).toEqual({ queue: name, job_set_id: name, job_id: 'j' });
    const path = (url = ''): string[] => new URL(url).pathname.split('/').map(decodeURIComponent);
    expect(path(job?.[0])).toEqual(['', 'v2', 'queues', name, 'job-sets', name, 'jobs', 'j']);
    expect(wait).toEqual([`${job?.[0]}?wait=10m`]);
    expect(path(events?.[1])).toEqual(['', 'v2', 'queues', name, 'job-sets', name, 'events']);
  },
);
