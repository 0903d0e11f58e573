import { createRedisClient } from '@ajs/job-store';
import { RedisServer } from '@ajs/testing';
import { createLog } from './log.js';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly err: Readonly<Record<string, string>>;
}

/** The line that logs this error. */
function logged(error: unknown): { line: Line; text: string } {
  let text = '';
  createLog('test', 'info', { write: (line) => (text += line) }).warn({ err: error }, 'failure');
  return { line: JSON.parse(text) as Line, text };
}

describe('a log', () => {
  it('contains the message of an error, with its causes', () => {
    const { line } = logged(new Error('no answer', { cause: new Error('the cable is out') }));
    expect(line).toMatchObject({ level: 'warn', app: 'test', msg: 'failure', err: { type: 'Error' } });
    expect(line.err['message']).toBe('no answer: the cable is out');
    expect(line.err['stack']).toContain('log.spec.ts');
  });

  it('never contains the password that Redis rejected', async () => {
    const redis = await RedisServer.start(['--requirepass', 'the-right-one']);
    const url = redis.url.replace('//', '//user:a-wrong-one@');
    const refused = await new Promise<Error>((resolve) => {
      const client = createRedisClient({ kind: 'single', url }, 'reader', (error) => {
        client.disconnect();
        resolve(error);
      });
    });
    await redis.stop();
    const { line, text } = logged(refused);
    expect(line.err['message']).toContain('WRONGPASS');
    expect(text).not.toContain('a-wrong-one');
  });

  it('omits the failed command, which may hold a whole batch', () => {
    const { line } = logged(Object.assign(new Error('OOM'), { command: { name: 'evalsha', args: ['x'] } }));
    expect(Object.keys(line.err).sort()).toEqual(['message', 'stack', 'type']);
  });
});
