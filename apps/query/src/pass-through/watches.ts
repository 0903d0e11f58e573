import { JobSetRequest, WatchRequest } from '@ajs/contracts/api/event';
import { StrictReader } from '@ajs/wire-mapping';

const WATCH = '/api.Event/Watch';
const JOB_SET_EVENTS = '/api.Event/GetJobSetEvents';

/** Two names and a message id: what is longer is not looked through, since nobody has authenticated its caller yet. */
const MAX_REQUEST_BYTES = 65_536;

const jobSetRequests = new StrictReader('api.JobSetRequest', JobSetRequest);
const watchRequests = new StrictReader('api.WatchRequest', WatchRequest);

/** A call that stays open, and that costs an Armada server one connection to its Redis. */
export interface Watch {
  readonly queue: string;
}

/** A call that may be a watch, of a queue that is not certain. The problem is a clause for people. */
export interface UnreadableWatch {
  readonly problem: string;
}

/**
 * What the first message of a call makes it: a watch, perhaps one (with the problem), or `undefined`: no watch. Armada's handlers of these
 * methods read the first message alone; without one there is nothing to watch.
 *
 * A request with fields that this version does not know counts as a watch, whatever its `watch` says: only Armada knows what they add.
 */
export function watchOf(path: string, request: Buffer | undefined): Watch | UnreadableWatch | undefined {
  if (request === undefined) return undefined;
  switch (path) {
    case WATCH:
      return toWatch(watchRequests, request, () => true);
    case JOB_SET_EVENTS:
      return toWatch(jobSetRequests, request, ({ watch }) => watch);
    default:
      return undefined;
  }
}

function toWatch<T extends Watch>(
  reader: StrictReader<T>,
  request: Buffer,
  isWatch: (request: T) => boolean,
): Watch | UnreadableWatch | undefined {
  if (request.length > MAX_REQUEST_BYTES) {
    return { problem: `the request is longer than ${MAX_REQUEST_BYTES} bytes` };
  }
  const reading = reader.read(request);
  if (reading.kind === 'ambiguous') return { problem: reading.problem };
  const { kind, message } = reading;
  return kind === 'canonical' && !isWatch(message) ? undefined : { queue: message.queue };
}
