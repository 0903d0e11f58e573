import type { Answer, History } from './history.js';

/**
 * What watchers and waiters received, as answers to their callers: what holds for those holds for these. An event is as new as the request
 * for its stream, at least.
 */
export function receivedAnswers({ watches, waits }: Pick<History, 'watches' | 'waits'>): Answer[] {
  const ofWatches = watches.flatMap(({ query, key, requestedAt, events }) =>
    events.flatMap((event): Answer[] => {
      if (event.kind !== 'job') return [];
      const result = { kind: 'state', apiState: event.state } as const;
      return [{ api: 'v2', query, key, jobId: event.jobId, requestedAt, answeredAt: event.at, result }];
    }),
  );
  const ofWaits = waits.flatMap(({ query, key, requestedAt, answeredAt, reported }) =>
    Object.entries(reported).map(([jobId, apiState]): Answer => {
      const result = { kind: 'state', apiState } as const;
      return { api: 'v2', query, key, jobId, requestedAt, answeredAt, result };
    }),
  );
  return [...ofWatches, ...ofWaits];
}
