import { createHash } from 'node:crypto';
import type { JobId } from '@ajs/job-state';
import { JobPosition } from '../listing-ports.js';
import { packJobId } from './job-id-codec.js';

/*
 * The order in which jobs are listed: by their place, then by the bytes of their id. `buckets.lua` says what place and hash of a job are,
 * and which bucket holds a place.
 */

/** One more than the greatest place. */
export const PLACES = 2 ** 32;

/** Where a list goes on. */
export interface ListedUpTo {
  readonly place: number;
  /** The packed id of the last job that was listed at this place; empty where none was. */
  readonly packedId: Buffer;
}

/** Before the first job of all. */
export const BEGINNING: ListedUpTo = { place: 0, packedId: Buffer.alloc(0) };

const ULID_BYTES = 16;

/** The place of a job, by its packed id. */
export function placeOf(packedId: Buffer): number {
  const isUlid = packedId.length === ULID_BYTES && packedId[0] !== 0xff;
  const hash = isUlid
    ? packedId.readUInt32BE(ULID_BYTES - 4)
    : createHash('sha1').update(packedId).digest().readUInt32BE();
  return reversed(hash);
}

/** Negative, zero or positive as `a` comes before, with or after `b`. */
export function comparePlaces(a: ListedUpTo, b: ListedUpTo): number {
  return a.place - b.place || Buffer.compare(a.packedId, b.packedId);
}

/** The position of a job in a list of jobs. */
export function positionOf(jobId: JobId): JobPosition {
  const packedId = packJobId(jobId);
  return formatPosition({ place: placeOf(packedId), packedId });
}

export function formatPosition({ place, packedId }: ListedUpTo): JobPosition {
  return JobPosition(`${place}.${packedId.toString('base64url')}`);
}

/** Whether a text has the form of a position. */
export function isPosition(text: string): text is JobPosition {
  const [, place] = /^(\d{1,10})\.[\w-]{0,100}$/.exec(text) ?? [];
  return place !== undefined && Number(place) < PLACES;
}

/** The inverse of {@link formatPosition}. Throws RangeError. */
export function parsePosition(text: string): ListedUpTo {
  if (!isPosition(text)) throw new RangeError('not a position in a list of jobs');
  const [place, id = ''] = text.split('.');
  return { place: Number(place), packedId: Buffer.from(id, 'base64url') };
}

/** The bits of a 32-bit number, the other way round. */
function reversed(number: number): number {
  let left = number;
  let result = 0;
  for (let bit = 0; bit < 32; bit++) {
    result = result * 2 + (left % 2);
    left = Math.floor(left / 2);
  }
  return result;
}
