import type { IncomingMessage, ServerResponse } from 'node:http';
import { All, Controller, Get, Header, Inject, Module, Req, Res } from '@nestjs/common';
import { Metrics } from '@ajs/observability';
import { sendMethodNotAllowed } from '../http/http-errors.js';
import { MetricsText } from './metrics-text.js';
import { Readiness } from './readiness.js';

/** The part of an HTTP response that is used here. */
interface HttpResponse {
  status(code: number): unknown;
}

@Controller()
export class HealthController {
  constructor(
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(MetricsText) private readonly metrics: MetricsText,
  ) {}

  /** The process runs. */
  @Get('healthz')
  healthz(): { status: string } {
    return { status: 'ok' };
  }

  /** 200 while the process can do its work, else 503; the body says which part cannot. */
  @Get('readyz')
  async readyz(@Res({ passthrough: true }) response: HttpResponse): Promise<object> {
    const report = await this.readiness.report();
    response.status(report.ready ? 200 : 503);
    return report;
  }

  @Get('metrics')
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  metricsText(): Promise<string> {
    return this.metrics.read();
  }

  @All(['healthz', 'readyz', 'metrics'])
  otherMethod(@Req() { method }: IncomingMessage, @Res() response: ServerResponse): void {
    sendMethodNotAllowed(response, { method, allowed: 'GET' });
  }
}

/** `/healthz`, `/readyz` and `/metrics`. */
@Module({
  controllers: [HealthController],
  providers: [
    {
      provide: MetricsText,
      inject: [Metrics],
      useFactory: ({ registry }: Metrics) => new MetricsText(registry),
    },
  ],
})
export class HealthModule {}
