import { status, type StatusObject } from '@grpc/grpc-js';
import { ArmadaJobsError } from './armada-jobs.js';
import { BatchTooLargeError } from './batched-lookup.js';
import { statusText } from './status-text.js';

/** Armada's words, in every spelling that its methods have (`jobIds`, `JobIds`, `RunIds`); the code beside them is UNKNOWN. */
const TOO_MANY_IDS = /request contained more than (\d+) (?:job|run)ids/i;
/** An answer above our limit, in the words of grpc-js, or above the server's, in those of grpc-go; RESOURCE_EXHAUSTED. */
const ANSWER_TOO_LARGE = /message larger than max/i;

/** What the failure of a call that asked for `asked` ids means. */
export function lookupErrorOf(
  { code, details }: Pick<StatusObject, 'code' | 'details'>,
  asked: number,
): ArmadaJobsError | BatchTooLargeError {
  const atMost = Number(TOO_MANY_IDS.exec(details)?.[1]);
  if (atMost >= 1 && atMost < asked) return new BatchTooLargeError(atMost);
  if (code === status.RESOURCE_EXHAUSTED && ANSWER_TOO_LARGE.test(details) && asked > 1) {
    return new BatchTooLargeError(Math.floor(asked / 2));
  }
  return new ArmadaJobsError(kindOf(code), statusText({ code, details }));
}

function kindOf(code: status): ArmadaJobsError['kind'] {
  if (code === status.UNIMPLEMENTED) return 'unsupported';
  if (code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED) return 'refused';
  return 'unavailable';
}
