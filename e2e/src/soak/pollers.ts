import { JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { print } from './armada.js';
import { BareClient } from './bare-client.js';
import { ENDS_AFTER_MS, type Schedule, jobOf, jobSetOf } from './schedule.js';

const TICK_MS = 5;
/** Younger jobs are not polled: a real caller has just submitted them, which takes a moment. */
const LEAST_AGE_MS = 500;
/** A terminal state that is older must be in the answer. */
const MOST_LAG_MS = 5_000;
/** One poll in so many is of `api.Jobs`. */
const API_JOBS_EVERY = 5;
const DEADLINE_MS = 10_000;
/** Polls in flight at once, at most: more are not sent, which shows in the rate. */
const MOST_IN_FLIGHT = 5_000;

/** Since the process started. */
interface Counts {
  polls: number;
  errors: number;
  /** The answer lacked a terminal state that it should have had. */
  late: number;
  lastError: string;
}

/** Polls jobs of the schedule at a steady rate, however slow the answers are. Prints the counts every second. */
export function runPollers(schedule: Schedule, pollsPerSecond: number, targets: readonly string[]): void {
  const clients = targets.map((target) => new BareClient(target));
  const counts: Counts = { polls: 0, errors: 0, late: 0, lastError: '' };
  let latencies: number[] = [];
  let inFlight = 0;

  const poll = async (n: number): Promise<void> => {
    const now = Date.now();
    const [first, end] = schedule.jobSets(now);
    const set = first + Math.floor(Math.random() * (end - first));
    const jobs = schedule.submitted(set, now, LEAST_AGE_MS);
    const client = clients[n % clients.length];
    if (jobs === 0 || client === undefined) return;
    const job = Math.floor(Math.random() * jobs);
    const jobId = jobOf(set, job);
    const mustHaveEnded = now - schedule.submittedAt(set, job) > ENDS_AFTER_MS + MOST_LAG_MS;
    const began = performance.now();
    inFlight++;
    try {
      let ended: boolean;
      if (n % API_JOBS_EVERY === 0) {
        const answer = await client.call(JobsService.getJobStatus, { jobIds: [jobId] }, DEADLINE_MS);
        ended = answer.jobStates[jobId] === JobState.SUCCEEDED;
      } else {
        const request = { ...jobSetOf(set), jobId };
        const answer = await client.call(JobServiceService.getJobStatus, request, DEADLINE_MS);
        if (answer.state === JobServiceResponse_State.CONNECTION_ERR) throw new Error(answer.error);
        ended = answer.state === JobServiceResponse_State.SUCCEEDED;
      }
      latencies.push(performance.now() - began);
      if (mustHaveEnded && !ended) counts.late++;
    } catch (error) {
      counts.errors++;
      counts.lastError = (error as Error).message;
    } finally {
      inFlight--;
      counts.polls++;
    }
  };

  const began = performance.now();
  let sent = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - began) * pollsPerSecond) / 1_000);
    for (; sent < due; sent++) if (inFlight < MOST_IN_FLIGHT) void poll(sent);
  }, TICK_MS);
  setInterval(() => {
    latencies.sort((a, b) => a - b);
    const at = (share: number): number => latencies[Math.floor(share * latencies.length)] ?? 0;
    print('polls', { ...counts, p50: at(0.5), p99: at(0.99), inFlight });
    latencies = [];
  }, 1_000);
}
