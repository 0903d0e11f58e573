import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { AppProcess } from '../app-process.js';
import { patiently } from '../patiently.js';
import { ROOT } from '../root.js';

const PYTHON = join(ROOT, 'e2e/python');
const SOME_POLLS = 10;

/** The Python that has the client of each operator. */
export type Clients = Readonly<Record<'older' | 'newer', string>>;

/** By kind of client. */
type Counts = Readonly<Record<string, { readonly polls: number; readonly wrong: readonly string[] }>>;

export interface Targets {
  /** The Service. */
  readonly service: string;
  /** The headless one. */
  readonly headless: string;
  /** How often a client resolves the headless name at most. */
  readonly resolveMs: number;
}

export interface PolledJobs {
  readonly queue: string;
  readonly jobSetId: string;
  readonly jobIds: readonly string[];
}

/** The Python clients of both operators, each a process that polls running jobs in several ways and threads. */
export class Pollers {
  private readonly processes: readonly AppProcess[];

  constructor(
    clients: Clients,
    { service, headless, resolveMs }: Targets,
    { queue, jobSetId, jobIds }: PolledJobs,
  ) {
    const start = (client: keyof Clients, args: readonly string[]): AppProcess =>
      new AppProcess(
        join(PYTHON, `pollers/${client}.py`),
        { PYTHONDONTWRITEBYTECODE: '1' },
        args,
        PYTHON,
        clients[client],
      );
    this.processes = [
      start('older', [service, headless, `${resolveMs}`, queue, jobSetId, ...jobIds]),
      start('newer', [service, ...jobIds]),
    ];
  }

  /** Waits until each kind of client has polled some more; rejects with the answers that were wrong, since the start. */
  async pollOn(): Promise<void> {
    const before = this.counts();
    const hasPolled = ([kind, { polls }]: [string, Counts[string]]): boolean =>
      polls >= (before[kind]?.polls ?? 0) + SOME_POLLS;
    const ended = (): string[] =>
      this.processes.flatMap(({ exit, output }) => (exit === undefined ? [] : [`${exit}: ${output}`]));
    await patiently('every client polls', () => {
      const isPolling = this.logs().every((log) => log !== undefined);
      return ended().length > 0 || (isPolling && Object.entries(this.counts()).every(hasPolled));
    });
    expect(ended()).toEqual([]);
    const wrong = Object.entries(this.counts()).map(([kind, counts]) => [kind, counts.wrong]);
    expect(wrong).toEqual(wrong.map(([kind]) => [kind, []]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.kill()));
  }

  private counts(): Counts {
    return Object.assign({}, ...this.logs()) as Counts;
  }

  /** The latest counts of each process. */
  private logs(): (Counts | undefined)[] {
    return this.processes.map(({ logs }) => logs.at(-1)?.['kinds'] as Counts | undefined);
  }
}

/** Installs the clients of both operators where they are missing: some seconds. Needs Python. */
export function installClients(): Clients {
  const pythonOf = (client: string): string => {
    const args = [join(PYTHON, 'environment.mjs'), client];
    return execFileSync(process.execPath, args, { encoding: 'utf8' }).trim();
  };
  return { older: pythonOf('older'), newer: pythonOf('newer') };
}
