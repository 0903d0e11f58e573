import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { sendMethodNotAllowed } from '@ajs/runtime';
import { All, Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { JsonObject } from '@bufbuild/protobuf';
import swaggerUiFolder from 'swagger-ui-dist/absolute-path.js';
import { StaticBody, type Revalidation } from './static-body.js';

export const OPEN_API = Symbol('OpenAPI');

/** The part of Express's request that is used here. */
interface StaticRequest extends Revalidation {
  /** The route that the request matched. */
  readonly route: { readonly path: string };
}

/** No other origin; Swagger UI's style sheet holds its icons as data. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Armada Job Service</title>
    <link rel="icon" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="page"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#page', tryItOutEnabled: true });\n`;

/** The files of Swagger UI that the page loads, and their types. */
const SWAGGER_UI = {
  '/docs/swagger-ui.css': 'text/css; charset=utf-8',
  '/docs/swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  '/docs/favicon-32x32.png': 'image/png',
};

/** What is here, for whoever looks at the address alone. */
const INDEX = {
  service: 'Armada Job Service',
  documentation: '/docs',
  openApi: '/openapi.json',
  jobSets: '/v2/job-sets',
  health: '/healthz',
  readiness: '/readyz',
};

const PATHS = ['/', '/openapi.json', '/docs', '/docs/start.js', ...Object.keys(SWAGGER_UI)];

/** The description of the HTTP API, for programs and, with a page to try it, for people. */
@Controller()
export class DocsController {
  private readonly bodies: ReadonlyMap<string, StaticBody>;

  constructor(@Inject(OPEN_API) openApi: JsonObject) {
    const swaggerUi = Object.entries(SWAGGER_UI).map(([path, type]): [string, StaticBody] => [
      path,
      new StaticBody(readFileSync(join(swaggerUiFolder(), basename(path))), type),
    ]);
    this.bodies = new Map([
      ['/', new StaticBody(`${JSON.stringify(INDEX, undefined, 2)}\n`, 'application/json; charset=utf-8')],
      ['/openapi.json', new StaticBody(JSON.stringify(openApi), 'application/json; charset=utf-8')],
      [
        '/docs',
        new StaticBody(PAGE, 'text/html; charset=utf-8', {
          'Content-Security-Policy': CONTENT_SECURITY_POLICY,
        }),
      ],
      ['/docs/start.js', new StaticBody(START, 'text/javascript; charset=utf-8')],
      ...swaggerUi,
    ]);
  }

  @Get(PATHS)
  async read(@Req() request: StaticRequest, @Res() response: ServerResponse): Promise<void> {
    await this.bodies.get(request.route.path)?.send(request, response);
  }

  @All(PATHS)
  otherMethod(@Req() { method }: IncomingMessage, @Res() response: ServerResponse): void {
    sendMethodNotAllowed(response, { method, allowed: 'GET' });
  }
}
