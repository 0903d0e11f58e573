import type { ServerResponse } from 'node:http';
import { All, Controller, Inject, Module, Post, Req, Res, type DynamicModule } from '@nestjs/common';
import { status } from '@grpc/grpc-js';
import { DocsController, OPEN_API } from './docs.controller.js';
import { HttpCalls, refuse, type HttpRequest } from './http-calls.js';
import { HttpError } from './http-error.js';
import { JOBS_ROUTES } from './jobs-routes.js';
import { openApi } from './open-api.js';

const PATHS = JOBS_ROUTES.map(({ path }) => path);
const ROUTES = new Map<string, (typeof JOBS_ROUTES)[number]>(JOBS_ROUTES.map((route) => [route.path, route]));

@Controller()
export class JobsController {
  constructor(@Inject(HttpCalls) private readonly calls: HttpCalls) {}

  @Post(PATHS)
  async call(@Req() request: HttpRequest, @Res() response: ServerResponse): Promise<void> {
    const route = ROUTES.get(request.route.path);
    if (route === undefined) throw new Error(`no route ${request.route.path}`);
    await this.calls.answer(route, request, response);
  }

  @All(PATHS)
  otherMethod(@Req() { method }: HttpRequest, @Res() response: ServerResponse): void {
    response.setHeader('Allow', 'POST');
    refuse(response, new HttpError(405, status.UNIMPLEMENTED, `${method} is not taken here; use POST`));
  }
}

/** `api.Jobs` by HTTP on Armada's own paths, `/openapi.json`, and `/docs`. The process must leave bodies unparsed. */
@Module({})
export class HttpApiModule {
  static register(calls: HttpCalls, limits: { readonly maxJobIds: number }): DynamicModule {
    return {
      module: HttpApiModule,
      controllers: [JobsController, DocsController],
      providers: [
        { provide: HttpCalls, useValue: calls },
        { provide: OPEN_API, useValue: openApi(limits) },
      ],
    };
  }
}
