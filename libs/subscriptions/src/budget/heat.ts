/** How much a job set needs a watch; what is warmer gets one first. */
export const HEATS = ['cold', 'warm', 'hot'] as const;
export type Heat = (typeof HEATS)[number];

/** What makes a job set hot. All ages in milliseconds, `Infinity` for never. */
export interface Activity {
  /** Since its last poll. */
  readonly pollAge: number;
  /** Since its last event, as Armada dates it. */
  readonly eventAge: number;
  /** Jobs that have not ended. */
  readonly unfinished: number;
}

/** Twice as long as interest in a job set that is polled all the time may take to be noted, and then some. */
const RECENT_MS = 60_000;

/** Hot: it is polled, and events come. Warm: it is polled, and has unfinished jobs. Cold: all others. */
export function heatOf({ pollAge, eventAge, unfinished }: Activity): Heat {
  if (pollAge >= RECENT_MS) return 'cold';
  if (eventAge < RECENT_MS) return 'hot';
  return unfinished > 0 ? 'warm' : 'cold';
}

export function isHotter(a: Heat, b: Heat): boolean {
  return HEATS.indexOf(a) > HEATS.indexOf(b);
}
