import { jest } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@ajs/testing';
import { execTokenSource } from './exec-token-source.js';

const folder = mkdtempSync(join(tmpdir(), 'exec-'));
afterAll(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;

/** A shell script that is run with these arguments. */
function script(text: string, args: string[] = [], env: Record<string, string> = {}, timeOutMs = 30_000) {
  const file = join(folder, 'token.sh');
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return execTokenSource({ where: 'execAuth (a file)', cmd: file, args, env }, timeOutMs);
}

function jwt(claims: object): string {
  return ['{"alg":"none"}', JSON.stringify(claims), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
}

describe('the token of a command', () => {
  it('is its trimmed output, given its arguments and environment', async () => {
    const source = script('printf "\\n  %s-%s-%s \\n" "$1" "$MORE" "${HOME:+home}"', ['one two'], {
      MORE: 'three',
    });
    await expect(source.fetch(never)).rejects.toThrow('must be one word of printable ASCII');
    const word = script('printf "\\n  %s-%s-%s \\n" "$1" "$MORE" "${HOME:+home}"', ['one'], {
      MORE: 'three',
    });
    expect(await word.fetch(never)).toEqual({ authorization: 'Bearer one-three-home', expiresAt: undefined });
  });

  it('comes with the variables of the file before those of this process, and with no place for errors', async () => {
    const text = 'if [ /dev/stderr -ef /dev/null ]; then echo "$HOME"; else echo shown; fi';
    const { authorization } = await script(text, [], { HOME: 'ours' }).fetch(never);
    expect(authorization).toBe('Bearer ours');
  });

  it('expires when it says so itself, if it is a JWT', async () => {
    const token = jwt({ exp: 1_800_000_000 });
    expect(await script(`echo ${token}`).fetch(never)).toEqual({
      authorization: `Bearer ${token}`,
      expiresAt: 1_800_000_000_000,
    });
    expect((await script(`echo ${jwt({ sub: 'us' })}`).fetch(never)).expiresAt).toBeUndefined();
  });

  it.each([
    ['echo hidden; echo hidden >&2; exit 3', 'exited with 3; run it by hand'],
    ['kill -9 $$', 'exited with SIGKILL'],
    ['echo hidden >&2', 'printed no token'],
    ['echo hidden word', 'must be one word of printable ASCII'],
    ['printf "hidd\\303\\251n"', 'must be one word of printable ASCII'],
    ['head -c 20000 /dev/zero | tr "\\0" x', 'is longer than 16000 characters'],
    ['head -c 65537 /dev/zero | tr "\\0" x', 'printed more than 65536 bytes'],
    ['echo hidden; exec cat /dev/zero', 'printed more than 65536 bytes'],
  ])('is missing if it runs %j, and the error shows nothing of its output', async (text, problem) => {
    const failure = script(text).fetch(never);
    await expect(failure).rejects.toThrow(problem);
    await expect(failure).rejects.not.toThrow(/hidd|xxx/);
  });

  it('may be anywhere in an output of 64 KiB', async () => {
    expect((await script('printf "%65536s" word').fetch(never)).authorization).toBe('Bearer word');
  });

  it('is that of a command that finds no input', async () => {
    const source = script('cat; echo word', [], {}, 5_000);
    expect((await source.fetch(never)).authorization).toBe('Bearer word');
  });

  it('is missing if the command does not exist', async () => {
    const source = execTokenSource({ where: 'execAuth', cmd: join(folder, 'nothing'), args: [], env: {} });
    await expect(source.fetch(never)).rejects.toThrow('nothing could not be started: ENOENT');
  });

  it.each([
    ['an argument', { args: ['hidden\0'] }],
    ['a variable', { env: { TOKEN: 'hidden\0' } }],
  ])('is missing if %s holds a zero byte, and the error does not show it', async (_, wrong) => {
    const source = execTokenSource({ where: 'execAuth', cmd: '/bin/echo', args: [], env: {}, ...wrong });
    const failure = source.fetch(never);
    await expect(failure).rejects.toThrow('/bin/echo could not be started: ERR_INVALID_ARG_VALUE');
    await expect(failure).rejects.not.toThrow('hidden');
  });

  it('is given up after the time-out, and no process is left behind', async () => {
    const pidFile = join(folder, 'pid');
    const source = script(`sleep 600 & echo $! > ${pidFile}; wait`, [], {}, 1_000);
    await expect(source.fetch(never)).rejects.toThrow('did not exit within 1 s');
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await eventually('what it started is gone', () => !runs(pid));
  });

  it('is not given up later once it is there: its process id may be that of another one by then', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] });
    const kill = jest.spyOn(process, 'kill');
    try {
      const stopping = new AbortController();
      await script('echo word').fetch(stopping.signal);
      jest.advanceTimersByTime(30_000);
      stopping.abort();
      expect(kill).not.toHaveBeenCalled();
    } finally {
      kill.mockRestore();
      jest.useRealTimers();
    }
  });

  it('is given up when this process shuts down', async () => {
    const started = join(folder, 'started');
    const stopping = new AbortController();
    const fetching = script(`touch ${started}; exec sleep 600`, [], {}, 5_000).fetch(stopping.signal);
    const failure = expect(fetching).rejects.toThrow('this process is shutting down');
    await eventually('it runs', () => existsSync(started));
    stopping.abort();
    await failure;
  });
});

/** A process that nobody has waited for yet counts as gone. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
