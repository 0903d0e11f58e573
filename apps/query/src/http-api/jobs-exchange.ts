import { sendHttpError } from '@ajs/runtime';
import type { JsonProfile } from '@ajs/wire-mapping';
import type { JobsServiceOptions } from '../jobs-api/jobs-service.js';
import { toRpcError } from '../rpc-error.js';
import type { HttpExchange, HttpRequest } from './http-calls.js';
import { httpStatusOf } from './http-error.js';
import { maxBodyBytes } from './http-request.js';
import type { JobsRoute } from './jobs-routes.js';

/** The media type of each form of the responses. */
export const MEDIA_TYPE: Record<JsonProfile, string> = {
  go: 'application/json',
  proto3: 'application/json;profile=proto3',
};

/** Calls of a method of `api.Jobs` over HTTP. */
export function jobsExchange(
  route: JobsRoute,
  { jobs, maxJobIds, internalError, answered }: JobsServiceOptions,
): HttpExchange {
  return {
    reply: async ({ request, caller, body }) => {
      const profile = profileOf(request);
      const text = await body(maxBodyBytes(maxJobIds));
      const json = await route.answer({ jobs, body: text, maxJobIds, caller, profile });
      return { mediaType: MEDIA_TYPE[profile], bytes: Buffer.from(JSON.stringify(json)) };
    },
    fail: (error, response) => {
      const rpcError = toRpcError(error, internalError);
      sendHttpError(response, httpStatusOf(rpcError), rpcError.code, rpcError.details);
      return rpcError.code;
    },
    answered: (code, seconds) => answered(route.method, code, seconds),
  };
}

/** Armada's own form, unless the caller accepts proto3's: Armada's gateway ignores what callers accept. */
function profileOf(request: HttpRequest): JsonProfile {
  // Some clients add a charset to every type.
  const preferred = request.accepts([MEDIA_TYPE.go, MEDIA_TYPE.proto3, `${MEDIA_TYPE.proto3};charset=utf-8`]);
  return preferred !== false && preferred.startsWith(MEDIA_TYPE.proto3) ? 'proto3' : 'go';
}
