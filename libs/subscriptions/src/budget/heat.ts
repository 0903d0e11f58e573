/**
 * How much a job set needs a watch: from 0 to {@link HOTTEST}. From 0.5 events a minute on, each degree more stands for twice as many
 * events.
 */
export type Heat = number;

/** Nobody polls it, or nothing happens to it any more. */
export const COLD: Heat = 0;
/** It is polled and has unfinished jobs, to which hardly anything happens. */
export const WARM: Heat = 3;
/** The first degree with a rate: 0.5 events a minute. */
const FIRST_RATE: Heat = 6;
/** From about 70 events a second on. */
export const HOTTEST: Heat = 19;

/** A watch is taken from a job set for one that is hotter by so many degrees: more than four times as many events. */
const MUCH_HOTTER = 3;

/** What makes a job set hot. */
export interface Activity {
  /** Milliseconds since its last poll, `Infinity` for never. */
  readonly pollAge: number;
  readonly eventsPerMinute: number;
  /** Jobs that have not ended. */
  readonly unfinished: number;
}

/** Twice as long as interest in a job set that is polled all the time may take to be noted, and then some. */
const RECENT_MS = 60_000;

export function heatOf({ pollAge, eventsPerMinute, unfinished }: Activity): Heat {
  if (pollAge >= RECENT_MS) return COLD;
  const byRate = FIRST_RATE + Math.floor(Math.log2(eventsPerMinute / 0.5));
  if (byRate >= FIRST_RATE) return Math.min(byRate, HOTTEST);
  return unfinished > 0 ? WARM : COLD;
}

/** The heat of the hottest job sets that give their watch to one of this heat: about equal ones keep theirs, so that none flaps. */
export function yieldsTo(heat: Heat): Heat {
  return heat - MUCH_HOTTER;
}
