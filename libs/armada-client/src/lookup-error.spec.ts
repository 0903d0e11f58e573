import { status } from '@grpc/grpc-js';
import { ArmadaJobsError } from './armada-jobs.js';
import { BatchTooLargeError } from './batched-lookup.js';
import { lookupErrorOf } from './lookup-error.js';

const { UNKNOWN, RESOURCE_EXHAUSTED } = status;

describe('a failed call of api.Jobs', () => {
  it.each([
    [UNKNOWN, 'request contained more than 200 jobIds', 500, 200],
    [UNKNOWN, 'request contained more than 200 JobIds', 201, 200],
    [UNKNOWN, 'request contained more than 10 RunIds', 500, 10],
    [RESOURCE_EXHAUSTED, 'Received message larger than max (20000000 vs 16777216)', 500, 250],
    [RESOURCE_EXHAUSTED, 'grpc: trying to send message larger than max (20000000 vs. 16777216)', 3, 1],
  ])('with %i, "%s" for %i ids asked for too many: at most %i', (code, details, ids, maxIds) => {
    const meaning = lookupErrorOf({ code, details }, ids);
    expect(meaning).toBeInstanceOf(BatchTooLargeError);
    expect(meaning).toMatchObject({ maxKeys: maxIds });
  });

  it.each([
    [UNKNOWN, 'request contained more than 500 jobIds', 500],
    [UNKNOWN, 'request contained more than 0 jobIds', 500],
    [RESOURCE_EXHAUSTED, 'Received message larger than max (20000000 vs 16777216)', 1],
    [RESOURCE_EXHAUSTED, 'too many requests', 500],
  ])('with %i, "%s" for %i ids is no reason to ask for fewer', (code, details, ids) => {
    expect(lookupErrorOf({ code, details }, ids)).toMatchObject({ kind: 'unavailable' });
  });

  it.each([
    [status.UNIMPLEMENTED, 'unsupported'],
    [status.PERMISSION_DENIED, 'refused'],
    [status.UNAUTHENTICATED, 'refused'],
    [status.UNAVAILABLE, 'unavailable'],
    [status.DEADLINE_EXCEEDED, 'unavailable'],
    [status.INTERNAL, 'unavailable'],
    [UNKNOWN, 'unavailable'],
  ] as const)('with %i is "%s"', (code, kind) => {
    const meaning = lookupErrorOf({ code, details: 'why' }, 1);
    expect(meaning).toBeInstanceOf(ArmadaJobsError);
    expect(meaning).toMatchObject({ kind, reason: `${status[code]}: why` });
  });
});
