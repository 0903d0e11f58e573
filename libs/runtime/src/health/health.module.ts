import { Controller, Get, Header, Inject, Module, Res } from '@nestjs/common';
import { Metrics } from '@ajs/observability';
import { Readiness } from './readiness.js';

/** The part of an HTTP response that is used here. */
interface HttpResponse {
  status(code: number): unknown;
}

@Controller()
export class HealthController {
  constructor(
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(Metrics) private readonly metrics: Metrics,
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
    return this.metrics.registry.metrics();
  }
}

/** `/healthz`, `/readyz` and `/metrics`. */
@Module({ controllers: [HealthController] })
export class HealthModule {}
