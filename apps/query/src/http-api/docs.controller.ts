import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendMethodNotAllowed } from '@ajs/runtime';
import { All, Controller, Get, Header, Inject, Req, Res } from '@nestjs/common';
import type { JsonObject } from '@bufbuild/protobuf';
import swaggerUiFolder from 'swagger-ui-dist/absolute-path.js';

export const OPEN_API = Symbol('OpenAPI');

/** The part of Express's response that is used here. */
interface FileResponse extends ServerResponse {
  sendFile(path: string, options: { readonly root: string }): void;
}

const SWAGGER_UI = swaggerUiFolder();

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

const PATHS = [
  'openapi.json',
  'docs',
  'docs/start.js',
  'docs/swagger-ui.css',
  'docs/swagger-ui-bundle.js',
  'docs/favicon-32x32.png',
];

/** The description of the HTTP API, for programs and, with a page to try it, for people. */
@Controller()
export class DocsController {
  constructor(@Inject(OPEN_API) private readonly openApi: JsonObject) {}

  @Get('openapi.json')
  document(): JsonObject {
    return this.openApi;
  }

  @Get('docs')
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header('Content-Security-Policy', CONTENT_SECURITY_POLICY)
  page(): string {
    return PAGE;
  }

  @Get('docs/start.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  start(): string {
    return START;
  }

  @Get('docs/swagger-ui.css')
  style(@Res() response: FileResponse): void {
    response.sendFile('swagger-ui.css', { root: SWAGGER_UI });
  }

  @Get('docs/swagger-ui-bundle.js')
  script(@Res() response: FileResponse): void {
    response.sendFile('swagger-ui-bundle.js', { root: SWAGGER_UI });
  }

  @Get('docs/favicon-32x32.png')
  icon(@Res() response: FileResponse): void {
    response.sendFile('favicon-32x32.png', { root: SWAGGER_UI });
  }

  @All(PATHS)
  otherMethod(@Req() { method }: IncomingMessage, @Res() response: ServerResponse): void {
    sendMethodNotAllowed(response, { method, allowed: 'GET' });
  }
}
