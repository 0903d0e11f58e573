import type { ServerResponse } from 'node:http';
import {
  All,
  Controller,
  Inject,
  Module,
  Post,
  Req,
  Res,
  type BeforeApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { admitsAnonymous } from '@ajs/auth';
import type { Settings } from '@ajs/config';
import { SETTINGS } from '@ajs/runtime';
import { JobsApiModule } from '../jobs-api/jobs-api.module.js';
import type { JobsServiceOptions } from '../jobs-api/jobs-service.js';
import { AdmissionModule } from '../load/admission.module.js';
import { MessageBudget } from '../load/message-budget.js';
import { V2Module } from '../v2/v2.module.js';
import { JOBS_CALLS } from '../tokens.js';
import { AllowedHosts } from './allowed-hosts.js';
import { CrossOrigin } from './cross-origin.js';
import { DocsController, OPEN_API } from './docs.controller.js';
import { HttpCalls, type HttpExchange, type HttpRequest } from './http-calls.js';
import { jobsExchange } from './jobs-exchange.js';
import { JOBS_ROUTES } from './jobs-routes.js';
import { V2Controller } from './v2.controller.js';
import { openApi } from './open-api.js';

const PATHS = JOBS_ROUTES.map(({ path }) => path);

@Controller()
export class JobsController {
  private readonly exchanges: ReadonlyMap<string, HttpExchange>;

  constructor(
    @Inject(HttpCalls) private readonly calls: HttpCalls,
    @Inject(JOBS_CALLS) jobsCalls: JobsServiceOptions,
  ) {
    this.exchanges = new Map(JOBS_ROUTES.map((route) => [route.path, jobsExchange(route, jobsCalls)]));
  }

  @Post(PATHS)
  async call(@Req() request: HttpRequest, @Res() response: ServerResponse): Promise<void> {
    const exchange = this.exchanges.get(request.route.path);
    if (exchange === undefined) throw new Error(`no route ${request.route.path}`);
    await this.calls.answer(exchange, request, response);
  }

  @All(PATHS)
  otherMethod(@Req() request: HttpRequest, @Res() response: ServerResponse): void {
    this.calls.otherMethod(request, response, 'POST');
  }
}

/** What a caller without credentials cannot read, no web page can. */
function allowedHosts(settings: Settings): AllowedHosts {
  const names = settings.queryAllowedHosts;
  return new AllowedHosts(names.length === 0 && !admitsAnonymous(settings) ? ['*'] : names);
}

/** `api.Jobs` by HTTP on Armada's own paths, `jobservice.v2` under `/v2`, `/openapi.json`, and `/docs`. The process must leave bodies unparsed. */
@Module({
  imports: [JobsApiModule, V2Module, AdmissionModule],
  controllers: [JobsController, V2Controller, DocsController],
  providers: [
    {
      provide: HttpCalls,
      inject: [JOBS_CALLS, MessageBudget, SETTINGS],
      useFactory: ({ access, admission }: JobsServiceOptions, budget: MessageBudget, settings: Settings) =>
        new HttpCalls({
          access,
          admission,
          budget,
          hosts: allowedHosts(settings),
          crossOrigin: new CrossOrigin(settings.queryCorsOrigins),
        }),
    },
    {
      provide: OPEN_API,
      inject: [SETTINGS],
      useFactory: ({ maxJobIds }: Settings) => openApi({ maxJobIds }),
    },
  ],
})
export class HttpApiModule implements OnModuleDestroy, BeforeApplicationShutdown {
  private stopped: Promise<void> | undefined;

  constructor(@Inject(HttpCalls) private readonly calls: HttpCalls) {}

  /** Rejects new calls from now on; the port stays open for health. */
  onModuleDestroy(): void {
    this.stopped = this.calls.stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stopped;
  }
}
