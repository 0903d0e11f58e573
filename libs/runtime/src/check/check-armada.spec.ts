import { writeFileSync } from 'node:fs';
import { loadSettings } from '@ajs/config';
import { JobState } from '@ajs/contracts/api/submit';
import { FakeArmada, TemporaryFolder, armadaJob, freePort } from '@ajs/testing';
import { checkArmada } from './check-armada.js';
import type { Check } from './check-config.js';

const folder = new TemporaryFolder('check-armada');
let armada: FakeArmada;
let address: string;
beforeEach(async () => {
  armada = new FakeArmada();
  address = await armada.listen('127.0.0.1:0');
});
afterEach(() => armada.stop());
afterAll(() => folder.remove());

/** Each check as one line, with a section `armadaAuth` or without. */
async function checks(armadaAuth = '', at = address): Promise<string[]> {
  const file = folder.file('settings.yaml');
  writeFileSync(file, `armadaUrl: ${at}\narmadaAuth: ${armadaAuth}\n`);
  const found = await checkArmada(loadSettings({ argv: ['--config', file], env: {} }));
  return found.map(({ what, outcome, found }: Check) => `${outcome} ${what}: ${found}`);
}

/** Queues with a job each. */
function haveJobs(...queues: string[]): void {
  for (const [i, queue] of queues.entries()) {
    armada.state.queues.add(queue);
    const jobId = `01m85vnck01jqpr3vd${String(i).padStart(8, '0')}`;
    armada.state.move(armadaJob({ jobId, queue, jobSetId: 's' }), JobState.RUNNING, []);
  }
}

const connected = () => `ok Armada: connected to ${address} (none)`;

describe('the rights at Armada', () => {
  it('are there where every queue that has jobs may be watched', async () => {
    haveJobs('a', 'b');
    expect(await checks()).toEqual([connected(), 'ok Armada rights: may watch 2 of 2 queues that have jobs']);
  });

  it('are a warning where they lack for some queues, and a failure where for all, with the first of them', async () => {
    haveJobs('a', 'b', 'c');
    armada.state.queues.letWatch('a', { users: ['anonymous'] });
    armada.security.rules = { anonymous: true };
    const help = 'grant "watch" on the queue, or watch_all_events, to this service';
    expect(await checks()).toEqual([
      connected(),
      `warning Armada rights: may watch 1 of 3 queues that have jobs, but not b (no); ${help}`,
    ]);
    armada.state.queues.letWatch('a', {});
    expect(await checks()).toEqual([
      connected(),
      `failed Armada rights: may watch 0 of 3 queues that have jobs, but not a (no); ${help}`,
    ]);
  });

  it('are a failure, with its reason, where Armada cannot say', async () => {
    haveJobs('a');
    armada.security.rules = { anonymous: true };
    armada.security.hasReadQueues = false;
    expect((await checks())[1]).toMatch(
      /^failed Armada rights: may watch 0 of 1 queues that have jobs, but not a \(.{5,}\); grant/,
    );
  });

  it('are tried for a hundred queues', async () => {
    haveJobs(...Array.from({ length: 101 }, (_, i) => `queue-${i}`));
    expect((await checks())[1]).toBe('ok Armada rights: may watch 100 of 100 queues that have jobs');
  });

  it('are not tried where no queue has jobs, or where Armada does not name those', async () => {
    expect((await checks())[1]).toBe('warning Armada rights: not tried: no queue has jobs');
    armada.faults.set({ jobsUnimplemented: true });
    expect((await checks())[1]).toMatch(
      /^warning Armada rights: its api\.Jobs does not answer \(.+\): jobs without events are not looked up$/,
    );
  });

  it('are not tried where Armada cannot be reached', async () => {
    const away = `127.0.0.1:${await freePort()}`;
    expect(await checks('', away)).toEqual([
      expect.stringMatching(
        `^failed Armada: ${away} \\(none\\): .+; see "Connecting to Armada" in docs/security.md$`,
      ) as string,
    ]);
  });
});

describe('the credential for Armada', () => {
  it('is a failure of its own where there is none', async () => {
    expect(await checks('{ execAuth: { cmd: /bin/false } }')).toEqual([
      expect.stringMatching(
        /^warning Armada: the credential of armadaAuth\.execAuth .* without TLS/,
      ) as string,
      expect.stringMatching(
        /^failed Armada: no credential \(execAuth\): .*\/bin\/false exited with 1/,
      ) as string,
    ]);
  });

  it('is warned of where it may be a mistake, also where all else is well', async () => {
    expect(await checks('{ basicAuth: { username: us, password: secret } }')).toEqual([
      expect.stringMatching(/^warning Armada: the credential of armadaAuth\.basicAuth/) as string,
      `ok Armada: connected to ${address} (basicAuth)`,
      'warning Armada rights: not tried: no queue has jobs',
    ]);
  });
});
