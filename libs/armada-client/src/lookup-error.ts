import { status, type StatusObject } from '@grpc/grpc-js';
import { ArmadaJobsError } from './armada-jobs.js';
import { BatchTooLargeError } from './batched-lookup.js';
import { isMessageTooLarge, statusText } from './status-text.js';

/** Armada's text, in every spelling of its methods (`jobIds`, `JobIds`, `RunIds`); its code is UNKNOWN. */
const TOO_MANY_IDS = /request contained more than (\d+) (?:job|run)ids/i;
/** What the failure of a call for so many ids means. */
export function lookupErrorOf(
  { code, details }: Pick<StatusObject, 'code' | 'details'>,
  ids: number,
): ArmadaJobsError | BatchTooLargeError {
  const maxIds = Number(TOO_MANY_IDS.exec(details)?.[1]);
  if (maxIds >= 1 && maxIds < ids) return new BatchTooLargeError(maxIds);
  if (isMessageTooLarge({ code, details }) && ids > 1) {
    return new BatchTooLargeError(Math.floor(ids / 2));
  }
  return new ArmadaJobsError(kindOf(code), statusText({ code, details }));
}

function kindOf(code: status): ArmadaJobsError['kind'] {
  if (code === status.UNIMPLEMENTED) return 'unsupported';
  if (code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED) return 'refused';
  return 'unavailable';
}
