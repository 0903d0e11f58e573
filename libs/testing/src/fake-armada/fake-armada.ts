import { FaultServiceService } from '@ajs/contracts/fakearmada/v1/faults';
import { JobsService } from '@ajs/contracts/api/job';
import { JobState, SubmitService as SubmitDefinition } from '@ajs/contracts/api/submit';
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import type { Recording } from '../recordings.js';
import { ArmadaState } from './armada-state.js';
import { EventServer, eventService } from './event-service.js';
import { faultService } from './fault-service.js';
import { Faults } from './faults.js';
import { jobsService } from './jobs-service.js';
import { LivingJobSets, type LivingOptions } from './living-job-sets.js';
import { SubmitService } from './submit-service.js';
import { seededRandom, ulidFactory } from './ulid.js';

export interface FakeArmadaOptions {
  /** The same seed gives the same jobs with the same fates. */
  readonly seed?: number;
  /** Time between two steps of a submitted job. Milliseconds. */
  readonly stepMs?: number;
}

/**
 * A server that behaves as Armada does on the wire, as far as this project has to do with it: `api.Event`, `api.Jobs`,
 * `api.Submit`, and faults on demand. It keeps everything in memory.
 */
export class FakeArmada {
  readonly state = new ArmadaState();
  readonly faults = new Faults();
  readonly events = new EventServer(this.state, this.faults);
  private readonly random: () => number;
  private readonly submit: SubmitService;
  private readonly server = new Server({ 'grpc.max_concurrent_streams': 10_000 });
  private readonly living: LivingJobSets[] = [];

  constructor({ seed = 1, stepMs = 300 }: FakeArmadaOptions = {}) {
    this.random = seededRandom(seed);
    this.submit = new SubmitService(this.state, this.faults, { newJobId: ulidFactory(this.random), stepMs });
    this.server.addService(eventService, this.events.implementation);
    this.server.addService(subset(JobsService, JOBS_METHODS), { ...jobsService(this.state, this.faults) });
    this.server.addService(subset(SubmitDefinition, SUBMIT_METHODS), { ...this.submit.implementation });
    this.server.addService(FaultServiceService, faultService(this.state, this.faults, this.events));
  }

  /** Listens at `host:port` (port 0: any free one); resolves to the `host:port` it listens at. */
  async listen(address: string): Promise<string> {
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(new Error(`cannot listen at ${address}: ${error.message}`));
      });
    });
    return `${address.slice(0, address.lastIndexOf(':'))}:${port}`;
  }

  /** Brings a recorded job set in, byte for byte, and the states that `api.Jobs` gave for it. */
  replay({ queue, jobSetId, messages, states, errors }: Recording): void {
    this.state.openLog(queue, jobSetId).appendRecorded(messages);
    for (const [jobId, name] of Object.entries(states)) {
      const state = JobState[name as keyof typeof JobState];
      this.state.jobs.set(jobId, { jobId, queue, jobSetId, state, error: errors[jobId] ?? '' });
    }
  }

  /** Starts job sets in which something always happens. */
  liveOn(options: Omit<LivingOptions, 'random' | 'newJobId'>): void {
    const newJobId = ulidFactory(this.random);
    this.living.push(new LivingJobSets(this.state, { ...options, random: this.random, newJobId }));
  }

  /** Ends every call and stops listening. What it knows stays. */
  stop(): void {
    for (const living of this.living) living.stop();
    this.submit.stop();
    this.server.forceShutdown();
  }
}

const JOBS_METHODS = ['getJobStatus', 'getJobErrors', 'getJobDetails'] as const;
const SUBMIT_METHODS = ['submitJobs', 'cancelJobs', 'health'] as const;

/** A service without the methods that this server does not have: they are UNIMPLEMENTED. */
function subset<T extends object>(service: T, methods: readonly (keyof T)[]): ServiceDefinition {
  return Object.fromEntries(
    methods.map((method) => [method, service[method]]),
  ) as unknown as ServiceDefinition;
}
