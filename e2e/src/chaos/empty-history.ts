import type { History } from './history.js';

/** For specs: a run in which nothing happened. */
export const EMPTY_HISTORY: History = {
  truth: [],
  answers: [],
  watches: [],
  waits: [],
  writes: [],
  disturbances: [],
  processes: [],
  unpolled: [],
  excesses: [],
};
