import type { EventMessage } from '@ajs/contracts/api/event';
import { jobEvents, type JobRef } from '@ajs/testing';

export type Random = () => number;

/** A whole number from `least` to `most`, both included. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

export function oneOf<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[Math.floor(random() * choices.length)] ?? choices[0];
}

/** Messages that Armada stores together. */
export type Step = readonly EventMessage[];

const JOB = { namespace: 'chaos', annotations: {} };
const MOST_RETRIES = 2;

/** A job's life, step by step: every terminal state, retried runs, and events after the end as real streams have them. */
export function lifeOf(ref: JobRef, random: Random): Step[] {
  const steps: Step[] = [jobEvents.submitted(ref, JOB)];
  if (random() < 0.1)
    return [...steps, jobEvents.rejected(ref, 'no cluster takes it'), ...noise(ref, random)];
  if (random() < 0.1) return [...steps, jobEvents.cancelled(ref), ...noise(ref, random)];
  for (let retries = between(random, 0, MOST_RETRIES); retries > 0; retries--) {
    steps.push(...run(ref), jobEvents.failed(ref, 1, true));
  }
  steps.push(...run(ref), end(ref, random), ...noise(ref, random));
  return steps;
}

function run(ref: JobRef): Step[] {
  return [jobEvents.leased(ref), jobEvents.pending(ref, JOB), jobEvents.running(ref, JOB)];
}

function end(ref: JobRef, random: Random): Step {
  return oneOf<() => Step>(random, [
    () => jobEvents.succeeded(ref),
    () => jobEvents.failed(ref, 3, false),
    () => jobEvents.cancelled(ref),
    () => jobEvents.preempted(ref, 'Preempted by a better job'),
  ])();
}

/** Events after the first terminal state, which change nothing. */
function noise(ref: JobRef, random: Random): Step[] {
  if (random() < 0.5) return [];
  const step = oneOf<() => Step>(random, [
    () => jobEvents.running(ref, JOB),
    () => jobEvents.cancelled(ref),
    () => jobEvents.succeeded(ref),
    () => jobEvents.failed(ref, 4, false),
    () => jobEvents.submitted(ref, JOB),
    () => jobEvents.reprioritized(ref, 7),
  ]);
  return [step()];
}
