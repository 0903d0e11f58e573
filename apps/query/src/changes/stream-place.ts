import { status } from '@grpc/grpc-js';
import { JobPosition, isPosition } from '@ajs/job-store';
import { Generation } from '@ajs/redis-keys';
import { RpcError } from '../rpc-error.js';

/**
 * How far a stream of a job set's changes has come: it has sent every job as it was at a revision, and of those that changed until a later
 * one the first in the order of the list. Each job is sent once for all that it went through between two revisions.
 */
export interface StreamPlace {
  /** Left out where the job set had no keys. */
  readonly generation?: Generation;
  /** What changed up to here has been sent; -1: nothing. */
  readonly after: number;
  /** What is being sent now: the jobs that changed last up to here. Left out where nothing is. */
  readonly upTo?: number;
  /** Of those, the jobs up to this one have been sent. */
  readonly from?: JobPosition;
  /** The end of the snapshot has not been sent. */
  readonly inSnapshot: boolean;
}

/** Where a stream without a token begins. */
export const BEGINNING: StreamPlace = { after: -1, inSnapshot: true };

const VERSION = 1;
const LONGEST_TOKEN = 1_024;

type Fields = [
  version: number,
  generation: string,
  after: number,
  inSnapshot: 0 | 1,
  upTo?: number,
  from?: string,
];

/** The resume token of a place. Opaque to callers; it gives nobody more than a request without one. */
export function toToken({ generation, after, upTo, from, inSnapshot }: StreamPlace): string {
  const fields: Fields = [VERSION, generation ?? '', after, inSnapshot ? 1 : 0];
  if (upTo !== undefined) fields.push(upTo);
  if (from !== undefined) fields.push(from);
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** The inverse of {@link toToken}; the {@link BEGINNING} for an empty one. Throws INVALID_ARGUMENT. */
export function fromToken(token: string): StreamPlace {
  if (token === '') return BEGINNING;
  const fields = token.length > LONGEST_TOKEN ? undefined : parsed(token);
  if (!isFields(fields)) throw invalid();
  const [, generation, after, inSnapshot, upTo, from] = fields;
  return {
    ...(generation !== '' && { generation: Generation(generation) }),
    after,
    inSnapshot: inSnapshot === 1,
    ...(upTo !== undefined && { upTo }),
    ...(from !== undefined && { from: JobPosition(from) }),
  };
}

function parsed(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  if (!Array.isArray(value)) return false;
  const [version, generation, after, inSnapshot, upTo, from, ...more] = value as unknown[];
  return (
    version === VERSION &&
    typeof generation === 'string' &&
    Number.isSafeInteger(after) &&
    (inSnapshot === 0 || inSnapshot === 1) &&
    (upTo === undefined || Number.isSafeInteger(upTo)) &&
    (from === undefined || (typeof from === 'string' && isPosition(from))) &&
    more.length === 0
  );
}

function invalid(): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, 'resume_token is invalid; start again without a token');
}
