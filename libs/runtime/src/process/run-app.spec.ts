import { jest } from '@jest/globals';
import { connect, createServer, type AddressInfo } from 'node:net';
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
/** The lines of the log. */
let lines: Record<string, unknown>[];
/** What the module does while it closes its connections. */
let whenClosing: () => Promise<void>;
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

  async onApplicationShutdown(): Promise<void> {
    await whenClosing();
    steps.push('module: connections are closed');
  }
}

function run(options: Partial<AppOptions> = {}, port = 0): Promise<NestExpressApplication> {
  const log = createLog('app', 'info', {
    write: (text: string) => {
      const line = JSON.parse(text) as { msg: string };
      lines.push(line);
      steps.push(`log: ${line.msg}`);
    },
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
  lines = [];
  whenClosing = () => Promise.resolve();
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

  it('closes connections that pipeline too many requests, counts them and logs it once', async () => {
    const app = await run();
    const { port } = app.getHttpServer().address() as AddressInfo;
    for (let i = 0; i < 2; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined).resume();
      socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100));
      await eventually('it is closed', () => socket.closed);
    }
    expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toContain(
      'rejected_connections_total{port="http",limit="pipelining"} 2',
    );
    const text = 'log: closing connections that pipeline too many requests';
    expect(steps.filter((step) => step === text)).toHaveLength(1);
    expect(lines.find(({ msg }) => text.endsWith(String(msg)))).toMatchObject({
      level: 'warn',
      port: 'http',
    });
    finish();
    await app.close();
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
    await expect(run({}, port)).rejects.toMatchObject({
      message: expect.stringContaining(
        `cannot listen for HTTP at 127.0.0.1:${port} (HTTP_ADDRESS): `,
      ) as string,
      cause: { code: 'EADDRINUSE' },
    });
    expect(steps).toContain('module: connections are closed');
    taken.close();
  });
});

describe('a health port', () => {
  const HEALTH = { host: '127.0.0.1', port: 0, setting: 'HEALTH_ADDRESS' };
  let logged: { health: string; http: string };

  async function runWithHealthPort(http: Partial<AppOptions['http']> = {}): Promise<NestExpressApplication> {
    const app = await run({ health: HEALTH, http: { ...HEALTH, maxConnections: 100, ...http } });
    logged = lines.find(({ msg }) => msg === 'health and metrics are served') as never;
    return app;
  }

  const statusOf = async (address: string, path: string): Promise<number> =>
    (await fetch(`http://${address}${path}`)).status;

  it('serves health and metrics in place of the HTTP port', async () => {
    const app = await runWithHealthPort();
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect([path, await statusOf(logged.health, path), await statusOf(logged.http, path)]).toEqual([
        path,
        200,
        404,
      ]);
    }
    const metrics = await fetch(`http://${logged.health}/metrics`);
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(metrics.headers.has('x-powered-by')).toBe(false);
    expect(await (await fetch(`http://${logged.health}/v1`)).json()).toEqual({
      error: 'this path does not exist',
      code: 5,
      message: 'this path does not exist',
    });
    finish();
    await app.close();
  });

  it('answers while callers have all connections of the HTTP port and pipeline requests there', async () => {
    const app = await runWithHealthPort({ maxConnections: 4 });
    const port = Number(new URL(`http://${logged.http}`).port);
    const sockets = Array.from({ length: 4 }, () => connect(port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10));
    }
    await eventually('the HTTP port is full', () =>
      fetch(`http://${logged.http}/`).then(
        () => false,
        () => true,
      ),
    );
    expect(await statusOf(logged.health, '/healthz')).toBe(200);
    expect(await (await fetch(`http://${logged.health}/metrics`)).text()).toMatch(
      /rejected_connections_total\{port="http",limit="share"\} [1-9]/,
    );
    for (const socket of sockets) socket.destroy();
    finish();
    await app.close();
  });

  it('counts the connections that it closes itself by its own name', async () => {
    const app = await runWithHealthPort();
    const socket = connect(Number(new URL(`http://${logged.health}`).port), '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100));
    await eventually('it is closed', () => socket.closed);
    expect(await (await fetch(`http://${logged.health}/metrics`)).text()).toContain(
      'rejected_connections_total{port="health",limit="pipelining"} 1',
    );
    finish();
    await app.close();
  });

  it('says that a stopping process is not ready, and stays open until all else has closed', async () => {
    const app = await runWithHealthPort();
    let closing: number[] = [];
    whenClosing = async () => {
      const http = statusOf(logged.http, '/').catch(() => 0);
      closing = [
        await statusOf(logged.health, '/healthz'),
        await statusOf(logged.health, '/readyz'),
        await http,
      ];
    };
    finish();
    await app.close();
    expect(closing).toEqual([200, 503, 0]);
    await expect(statusOf(logged.health, '/healthz')).rejects.toThrow();
  });
});
