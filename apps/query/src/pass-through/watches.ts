import { JobSetRequest, WatchRequest } from '@ajs/contracts/api/event';

const WATCH = '/api.Event/Watch';
const JOB_SET_EVENTS = '/api.Event/GetJobSetEvents';

/**
 * Whether a call is a watch, which stays open and costs an Armada server one connection to its Redis. 'by-request' where its
 * first message says so.
 */
export function isWatch(path: string): boolean | 'by-request' {
  if (path === JOB_SET_EVENTS) return 'by-request';
  return path === WATCH;
}

/** Whether the first message of such a call asks for a watch. What cannot be read counts as one: Armada may read it yet. */
export function asksForWatch(request: Buffer): boolean {
  try {
    return JobSetRequest.decode(request).watch;
  } catch {
    return true;
  }
}

/** The queue that a watch, by its first message, is of; `undefined` where that cannot be read. */
export function queueOfWatch(path: string, request: Buffer): string | undefined {
  try {
    return (path === WATCH ? WatchRequest : JobSetRequest).decode(request).queue;
  } catch {
    return undefined;
  }
}

/** The forwarded watches of this replica: no more than their share of what Armada bears. */
export class ForwardedWatches {
  private readonly open = new Set<() => void>();

  constructor(
    readonly most: number,
    private readonly changed: (open: number) => void,
  ) {}

  /** Takes a place, which the watch has until it calls `leave`; `undefined` where there is none. `end` ends the watch. */
  enter(end: () => void): { readonly leave: () => void } | undefined {
    if (this.open.size >= this.most) return undefined;
    this.open.add(end);
    this.changed(this.open.size);
    return {
      leave: () => {
        if (this.open.delete(end)) this.changed(this.open.size);
      },
    };
  }

  /** Ends them all. */
  endAll(): void {
    for (const end of [...this.open]) end();
  }
}
