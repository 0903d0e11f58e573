import { jest } from '@jest/globals';
import { createServer, type AddressInfo } from 'node:net';
import { constants } from 'node:os';
import {
  Inject,
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { loadSettings } from '@ajs/config';
import { Metrics, createLog } from '@ajs/observability';
import { eventually } from '@ajs/testing';
import { Readiness } from '../health/readiness.js';
import { runApp, type AppOptions } from './run-app.js';

/** What happened, and was logged, in its order. */
let steps: string[];
/** The work that the module finishes before it lets the process go. */
let work: Promise<void>;
let finish: () => void;

@Module({})
class WorkModule implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(@Inject(Readiness) private readonly readiness: Readiness) {
    readiness.add('work', () => Promise.resolve());
  }

  async onModuleDestroy(): Promise<void> {
    steps.push(`module: nothing new is taken, ready: ${(await this.readiness.report()).ready}`);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await work;
    steps.push('module: work is finished');
  }

  onApplicationShutdown(): void {
    steps.push('module: connections are closed');
  }
}

function run(options: Partial<AppOptions> = {}, port = 0): Promise<NestExpressApplication> {
  const log = createLog('app', 'info', {
    write: (line: string) => steps.push(`log: ${(JSON.parse(line) as { msg: string }).msg}`),
  });
  return runApp(
    { settings: loadSettings({ argv: [], env: {} }), log, metrics: new Metrics() },
    {
      module: WorkModule,
      http: { host: '127.0.0.1', port, setting: 'HTTP_ADDRESS', maxConnections: 100 },
      serve: () => {
        steps.push('serve');
        return Promise.resolve({});
      },
      ...options,
    },
  );
}

async function ready(app: NestExpressApplication): Promise<{ status: number; body: unknown }> {
  const { port } = app.getHttpServer().address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return { status: response.status, body: await response.json() };
}

beforeEach(() => {
  steps = [];
  work = new Promise((resolve) => (finish = resolve));
});

describe('an application', () => {
  it('opens what else it serves once HTTP listens, and has started then', async () => {
    const app = await run();
    expect(steps).toEqual(['log: health and metrics are served', 'serve', 'log: started']);
    expect(await ready(app)).toEqual({ status: 200, body: { ready: true, checks: { work: 'ok' } } });
    finish();
    await app.close();
  });

  it('stops at SIGTERM and SIGINT, and at no other signal', async () => {
    const heard = (): string[] =>
      Object.keys(constants.signals).filter((signal) => process.listenerCount(signal) > 0);
    const before = heard();
    const app = await run();
    try {
      expect(heard().filter((signal) => !before.includes(signal))).toEqual(['SIGINT', 'SIGTERM']);
    } finally {
      finish();
      await app.close();
    }
  });

  it('is not ready from the first moment of its stop until the work in progress is finished', async () => {
    const app = await run();
    steps = [];
    const closed = app.close();
    await eventually('the module stops', () => steps.length === 2);
    expect(await ready(app)).toEqual({
      status: 503,
      body: { ready: false, checks: { work: 'ok', process: 'is stopping' } },
    });
    finish();
    await closed;
    expect(steps).toEqual([
      'log: stopping',
      'module: nothing new is taken, ready: false',
      'module: work is finished',
      'module: connections are closed',
      'log: stopped',
    ]);
  });

  it('exits with 1 where it has not stopped after 4.5 s', async () => {
    const app = await run();
    const exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
    const closed = app.close();
    try {
      await jest.advanceTimersByTimeAsync(4_499);
      expect(exit).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(1);
      expect(exit).toHaveBeenCalledWith(1);
      expect(steps.at(-1)).toBe('log: did not stop within 4500 ms; exiting with work unfinished');
    } finally {
      jest.useRealTimers();
      exit.mockRestore();
      finish();
      await closed;
    }
  });

  it('does not exit any more once it has stopped', async () => {
    const exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    const app = await run();
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
    try {
      finish();
      await app.close();
      await jest.advanceTimersByTimeAsync(10_000);
      expect(exit).not.toHaveBeenCalled();
    } finally {
      jest.useRealTimers();
      exit.mockRestore();
    }
  });

  it('leaves an error of a module to its caller to report, and logs nothing of it', async () => {
    const provide = { provide: 'broken', useFactory: () => Promise.reject(new Error('a module is broken')) };
    await expect(run({ module: { module: WorkModule, providers: [provide] } })).rejects.toThrow(
      'a module is broken',
    );
    expect(steps).toEqual([]);
  });

  it('logs what Nest reports of a running application', async () => {
    const app = await run();
    Logger.error('a hook failed');
    finish();
    await app.close();
    expect(steps).toContain('log: a hook failed');
  });

  it('names the setting of an address that it cannot have, and stops what has begun', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await eventually('the port is taken', () => taken.listening);
    const { port } = taken.address() as AddressInfo;
    finish();
    await expect(run({}, port)).rejects.toThrow(
      `cannot listen for HTTP at 127.0.0.1:${port} (HTTP_ADDRESS): `,
    );
    expect(steps).toContain('module: connections are closed');
    taken.close();
  });
});
