import type { JobSetPosition } from '@ajs/job-store';

/** Whether a position is another one, or a later one of the same life: those of two lives do not compare. */
export function isUpTo(position: JobSetPosition | undefined, other: JobSetPosition | undefined): boolean {
  if (other === undefined || position === undefined) return position === other;
  return position.generation === other.generation && position.revision >= other.revision;
}

/** `heard` where it is a later one of the same life. */
export function laterOf(
  read: JobSetPosition | undefined,
  heard: JobSetPosition | undefined,
): JobSetPosition | undefined {
  return heard !== undefined && read !== undefined && isUpTo(heard, read) ? heard : read;
}
