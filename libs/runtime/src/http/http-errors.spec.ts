import type { AddressInfo } from 'node:net';
import { BadRequestException, Controller, Get, Param, Res } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { loadSettings } from '@ajs/config';
import { Metrics, createLog } from '@ajs/observability';
import type { ServerResponse } from 'node:http';
import { HealthModule } from '../health/health.module.js';
import { ProcessModule } from '../process/process.module.js';
import { PROBLEM_MEDIA_TYPE } from './problem-details.js';

@Controller()
class FailingController {
  @Get('bad')
  bad(): void {
    throw new BadRequestException('the name is empty');
  }

  @Get('defect')
  defect(): void {
    throw new TypeError('an internal detail');
  }

  @Get('long')
  long(): void {
    throw new BadRequestException('x'.repeat(1_000));
  }

  /** As packages throw them: the status is that of something else. */
  @Get('odd/:status')
  odd(@Param('status') status: string): void {
    throw Object.assign(new Error('of something else'), { status: Number(status) });
  }

  @Get('v2/defect')
  defectOfV2(): void {
    throw new TypeError('an internal detail');
  }

  @Get('file')
  file(@Res() response: ServerResponse & { sendFile(path: string, options: object): void }): void {
    response.sendFile('missing', { root: '/' });
  }

  @Get('begun')
  begun(@Res() response: ServerResponse): void {
    response.write('half');
    throw new TypeError('an internal detail');
  }
}

let app: NestExpressApplication;
const logged: { msg: string; err?: { message: string } }[] = [];

beforeAll(async () => {
  const log = createLog('app', 'info', { write: (line: string) => logged.push(JSON.parse(line) as never) });
  const context = { settings: loadSettings({ argv: [], env: {} }), log, metrics: new Metrics() };
  const module = await Test.createTestingModule({
    imports: [ProcessModule.of(context), HealthModule],
    controllers: [FailingController],
  }).compile();
  app = module.createNestApplication<NestExpressApplication>({ logger: false, bodyParser: false });
  await app.listen(0, '127.0.0.1');
});

afterAll(() => app.close());

function request(path: string, method = 'GET'): Promise<Response> {
  return fetch(`http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}${path}`, { method });
}

describe('HTTP errors', () => {
  it.each([
    ['/nowhere', 'GET', 404, 5, 'this path does not exist'],
    ['/healthz/x', 'POST', 404, 5, 'this path does not exist'],
    ['/file', 'GET', 404, 5, 'this path does not exist'],
    ['/healthz', 'POST', 405, 12, 'method POST is not allowed; use GET'],
    ['/readyz', 'DELETE', 405, 12, 'method DELETE is not allowed; use GET'],
    ['/metrics', 'PUT', 405, 12, 'method PUT is not allowed; use GET'],
    ['/bad', 'GET', 400, 3, 'the name is empty'],
    ['/defect', 'GET', 500, 13, 'internal error; see the log of this service'],
    ['/odd/302', 'GET', 500, 13, 'internal error; see the log of this service'],
    ['/odd/503', 'GET', 500, 13, 'internal error; see the log of this service'],
    ['/long', 'GET', 400, 3, 'x'.repeat(500)],
  ])('of %s by %s are %i, in the one form', async (path, method, httpStatus, code, text) => {
    const response = await request(path, method);
    expect(response.status).toBe(httpStatus);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(0);
    expect(await response.json()).toEqual({ error: text, code, message: text });
  });

  it.each(['/v2', '/v2/', '/V2/jobs', '/v2?x', '/v2/jobs%zz', '/v2/queues/q?x=/v1'])(
    'of %s, a path of jobservice.v2, are problem details',
    async (path) => {
      const response = await request(path);
      expect([response.status, response.headers.get('content-type')]).toEqual([404, PROBLEM_MEDIA_TYPE]);
      const detail = 'this path does not exist';
      expect(await response.json()).toEqual({
        type: 'about:blank',
        title: 'Not Found',
        status: 404,
        detail,
        code: 'NOT_FOUND',
        reason: 'INVALID_REQUEST',
      });
    },
  );

  it.each(['/v2x', '/v1/v2/', '/?/v2/', '//v2/'])('of %s, another path, are not', async (path) => {
    expect((await request(path)).headers.get('content-type')).toBe('application/json');
  });

  it('tell programs of a defect below v2, too', async () => {
    const response = await request('/v2/defect');
    expect(await response.json()).toMatchObject({ status: 500, code: 'INTERNAL', reason: 'INTERNAL' });
  });

  it('say which method is allowed', async () => {
    expect((await request('/healthz', 'POST')).headers.get('allow')).toBe('GET, HEAD');
    expect((await request('/healthz', 'HEAD')).status).toBe(200);
  });

  it('that are defects are logged in full, each once however often it occurs; those of a caller are not', async () => {
    for (const path of ['/bad', '/nowhere', '/defect', '/defect', '/odd/503', '/odd/503'])
      await request(path);
    expect(logged).toMatchObject([
      { msg: 'HTTP request failed', err: { message: 'an internal detail' } },
      { msg: 'HTTP request failed', err: { message: 'of something else' } },
    ]);
  });

  it('of a response that has begun end its connection', async () => {
    await expect(request('/begun').then((response) => response.text())).rejects.toThrow();
  });
});
