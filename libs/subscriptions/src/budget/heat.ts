/**
 * How much a job set needs a watch: from 0 to {@link HOTTEST}. From 0.5 events a minute on, each degree more stands for twice as many
 * events, or twice as many polls: for twice as many answers that would be out of date without a watch.
 */
export type Heat = number;

/** Nobody polls it, or nothing happens to it any more. */
export const COLD: Heat = 0;
/** It is polled and has unfinished jobs, to which hardly anything happens. */
export const WARM: Heat = 3;
/** The first degree with a rate: so many events, and a poll, a minute. */
const FIRST_RATE: Heat = 6;
const FIRST_EVENTS_PER_MINUTE = 0.5;
/** From about 10 events and 30 polls a second on. */
export const HOTTEST: Heat = 27;

/** A watch is taken from a job set for one that is hotter by so many degrees: more than four times as many events or polls. */
const MUCH_HOTTER = 3;

/** What makes a job set hot. */
export interface Activity {
  /** Milliseconds since its last poll, `Infinity` for never. */
  readonly pollAge: number;
  /** On average. */
  readonly pollsPerMinute: number;
  readonly eventsPerMinute: number;
  /** Jobs that have not ended. */
  readonly unfinished: number;
}

/** Twice as long as interest in a job set that is polled all the time may take to be noted, and then some. */
const RECENT_MS = 60_000;

export function heatOf({ pollAge, pollsPerMinute, eventsPerMinute, unfinished }: Activity): Heat {
  if (pollAge >= RECENT_MS) return COLD;
  if (eventsPerMinute < FIRST_EVENTS_PER_MINUTE) return unfinished > 0 ? WARM : COLD;
  const times = (eventsPerMinute / FIRST_EVENTS_PER_MINUTE) * Math.max(1, pollsPerMinute);
  return Math.min(FIRST_RATE + Math.floor(Math.log2(times)), HOTTEST);
}

/** The heat of the hottest job sets that give their watch to one of this heat: about equal ones keep theirs, so that none flaps. */
export function yieldsTo(heat: Heat): Heat {
  return heat - MUCH_HOTTER;
}
