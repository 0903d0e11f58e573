import type { ServerResponse } from 'node:http';
import { descriptorSet } from '@ajs/contracts';
import { JobStatusServiceService } from '@ajs/contracts/jobservice/v2/job_status_service';
import type { JobSetKey } from '@ajs/job-state';
import { JsonApi } from '@ajs/wire-mapping';
import type { JsonValue } from '@bufbuild/protobuf';
import type { JobSetEvent } from '../changes/job-set-stream.js';
import { sharedBytes } from '../changes/shared-bytes.js';
import { jobSetKeyOf } from '../v2/requests.js';
import { toEvent, type V2Watchers } from '../v2/v2-streams.js';
import type { HttpCall } from './http-calls.js';

export const EVENT_STREAM = 'text/event-stream';

/** Where WatchJobSet is served as server-sent events, as Express matches it. */
export const EVENTS_PATH = '/v2/queues/:queue/job-sets/:jobSet/events';

const watchJobSet = new JsonApi(descriptorSet).method(JobStatusServiceService.watchJobSet);

const NAMES = { job: 'job', snapshotEnd: 'snapshot-end', bookmark: 'bookmark' } as const;

/** Who is sent events. */
export type EventsClient = Pick<HttpCall, 'caller' | 'response' | 'hold'>;

/**
 * WatchJobSet as server-sent events. The id of each is the resume token, which an EventSource sends when it connects again. Never resolves;
 * rejects as the watcher does, before the first event or after it.
 */
export function sendJobSetEvents(
  watchers: V2Watchers,
  names: Readonly<Record<string, string>>,
  lastEventId: string,
  client: EventsClient,
): Promise<never> {
  const key = jobSetKeyOf({ queue: names['queue'] ?? '', jobSet: names['jobSet'] ?? '' });
  return watchers.jobSets.watch(key, lastEventId, client.caller, (events) =>
    send(client, toBytes(key, events)),
  );
}

/** Ends a stream that has begun: its client connects again, and then gets what is wrong as the answer. One for HEAD has ended by itself. */
export function endEvents(response: ServerResponse, why: string): void {
  if (!response.writableEnded) response.end(`: ${why.replaceAll(/\s+/g, ' ')}\n\n`);
}

const toBytes = sharedBytes((key, events) => Buffer.from(events.map((event) => toText(key, event)).join('')));

/** Empty for a job that cannot be shown. */
function toText(key: JobSetKey, told: JobSetEvent): string {
  const event = toEvent(key, told);
  if (event === undefined) return '';
  const json = watchJobSet.writeResponse({ event, resumeToken: '' }, 'proto3') as Record<string, JsonValue>;
  return `id: ${told.token}\nevent: ${NAMES[event.$case]}\ndata: ${JSON.stringify(json[event.$case] ?? {})}\n\n`;
}

/** The promise, if there is one, resolves once the client has taken what was sent, or has gone. Throws as `hold` does. */
function send({ response, hold }: EventsClient, bytes: Buffer): Promise<void> | undefined {
  if (response.destroyed || response.writableEnded) return undefined;
  hold(response.writableLength + bytes.length);
  if (!response.headersSent) {
    response.writeHead(200, {
      'Content-Type': EVENT_STREAM,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // Proxies that gather what passes, nginx first, would hold events back.
      'X-Accel-Buffering': 'no',
    });
  }
  if (response.req.method === 'HEAD') {
    response.end();
    return undefined;
  }
  if (response.write(bytes)) {
    hold(0);
    return undefined;
  }
  return new Promise((resolve) => {
    const taken = (): void => {
      response.off('drain', taken);
      response.off('close', taken);
      hold(0);
      resolve();
    };
    response.on('drain', taken);
    response.on('close', taken);
  });
}
