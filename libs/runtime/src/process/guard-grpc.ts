import { Metadata, setLogger } from '@grpc/grpc-js';

/** As much of a log as is needed here. */
interface Log {
  error(text: string): void;
  debug(text: string): void;
}

/** Replaces an `authorization` that grpc-js would drop. It is not well-formed, so that the call is refused. */
const MALFORMED = 'malformed';
const PRINTABLE_ASCII = /^[ -~]*$/;
/** What follows one of these words in a message of grpc-js may be headers. */
const BEFORE_HEADERS = /headers|metadata|authorization/i;

/**
 * Keeps secrets out of what grpc-js logs and lets no `authorization` get lost, in the whole process; call it before any server or
 * client starts.
 *
 * grpc-js drops a header that is not printable ASCII before any handler or interceptor sees the call, and writes it to standard
 * error in full. A caller whose `authorization` was dropped would look like one who sent none, and get what anonymous callers
 * get. The only place where the header can still be seen is where it is turned into metadata: there it is replaced by a word that
 * every check of an `authorization` refuses. What grpc-js logs goes to our log, cut where headers begin.
 */
export function guardGrpc(log: Log): void {
  const write =
    (line: (text: string) => void) =>
    (message?: unknown, ...rest: unknown[]) =>
      line(withoutHeaders([message, ...rest].map(String).join(' ')));
  setLogger({
    // Any caller can trigger this one, as often as it calls.
    error: write((text) =>
      text.startsWith('grpc-js: Failed to add metadata') ? log.debug(text) : log.error(text),
    ),
    info: write((text) => log.debug(text)),
    debug: write((text) => log.debug(text)),
  });
  let lastGood: string | undefined;
  const toMetadata = Metadata.fromHttp2Headers.bind(Metadata);
  Metadata.fromHttp2Headers = (headers) => {
    const { authorization } = headers;
    // Most calls carry the same one as the call before.
    if (authorization === undefined || authorization === lastGood) return toMetadata(headers);
    if (PRINTABLE_ASCII.test(authorization)) {
      lastGood = authorization;
      return toMetadata(headers);
    }
    return toMetadata({ ...headers, authorization: MALFORMED });
  };
}

function withoutHeaders(text: string): string {
  const found = BEFORE_HEADERS.exec(text);
  if (found === null) return `grpc-js: ${text}`;
  return `grpc-js: ${text.slice(0, found.index + found[0].length)} (rest withheld: it may hold a secret)`;
}
