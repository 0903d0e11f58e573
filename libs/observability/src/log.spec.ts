import { createRedisClient } from '@ajs/job-store';
import { RedisServer } from '@ajs/testing';
import { createLog } from './log.js';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly err: Readonly<Record<string, string>>;
}

/** What a line is that tells of this error. */
function told(error: unknown): { line: Line; text: string } {
  let text = '';
  createLog('test', 'info', { write: (line) => (text += line) }).warn({ err: error }, 'trouble');
  return { line: JSON.parse(text) as Line, text };
}

describe('a log', () => {
  it('tells what an error is, with its causes', () => {
    const { line } = told(new Error('no answer', { cause: new Error('the cable is out') }));
    expect(line).toMatchObject({ level: 'warn', app: 'test', msg: 'trouble', err: { type: 'Error' } });
    expect(line.err['message']).toBe('no answer: the cable is out');
    expect(line.err['stack']).toContain('log.spec.ts');
  });

  it('never tells the password that Redis refused', async () => {
    const redis = await RedisServer.start(['--requirepass', 'the-right-one']);
    const url = redis.url.replace('//', '//somebody:a-wrong-one@');
    const refused = await new Promise<Error>((resolve) => {
      const client = createRedisClient({ kind: 'single', url }, 'reader', (error) => {
        client.disconnect();
        resolve(error);
      });
    });
    await redis.stop();
    const { line, text } = told(refused);
    expect(line.err['message']).toContain('WRONGPASS');
    expect(text).not.toContain('a-wrong-one');
  });

  it('does not tell the command that failed: it may hold a whole batch', () => {
    const { line } = told(Object.assign(new Error('OOM'), { command: { name: 'evalsha', args: ['x'] } }));
    expect(Object.keys(line.err).sort()).toEqual(['message', 'stack', 'type']);
  });
});
