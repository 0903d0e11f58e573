import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

/** For all of it, from the look-up of the name to the last byte. Milliseconds. */
const TIME_OUT_MS = 10_000;
/** Tokens and discovery documents have a few KiB. */
const LARGEST_ANSWER = 256 * 1024;

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM; Node's own roots where it is left out. */
  readonly ca?: Buffer | undefined;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One request and its answer, bounded in time and size. Follows no redirect. Unlike `fetch` it takes roots of our own. */
export function exchange(
  url: URL,
  { method, headers, body, ca, signal }: HttpRequest,
  timeOutMs = TIME_OUT_MS,
): Promise<HttpAnswer> {
  const timeOut = AbortSignal.timeout(timeOutMs);
  const told = `${url.origin}${url.pathname}`;
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        new Error(
          timeOut.aborted
            ? `${told} did not answer within ${timeOutMs / 1000} s`
            : `${told}: ${error.message}`,
        ),
      );
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(
      url,
      {
        method,
        headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
        signal: AbortSignal.any([signal, timeOut]),
        // A connection of its own: requests are minutes apart.
        agent: false,
        ...(ca !== undefined && { ca }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          size += chunk.length;
          if (size > LARGEST_ANSWER)
            request.destroy(new Error(`answered with more than ${LARGEST_ANSWER} bytes`));
        });
        response.on('error', fail);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
            ),
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.on('error', fail);
    request.end(body);
  });
}
