import { FaultServiceService } from '@ajs/contracts/fakearmada/v1/faults';
import { JobsService } from '@ajs/contracts/api/job';
import { EventStreamMessage } from '@ajs/contracts/api/event';
import { JobState, QueueServiceService as QueueDefinition } from '@ajs/contracts/api/submit';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { keepLongDeadlines } from '../long-deadlines.js';
import type { Recording } from '../recordings.js';
import { ArmadaState } from './armada-state.js';
import { CallLog } from './call-log.js';
import { EventIngester } from './event-ingester.js';
import { EventServer, eventService } from './event-service.js';
import { faultService } from './fault-service.js';
import { Faults } from './faults.js';
import { jobsService } from './jobs-service.js';
import { armadaJob, applyEvent } from './armada-job.js';
import { SimulatedJobSets, type SimulationOptions } from './simulated-job-sets.js';
import { queueMethods } from './queue-service.js';
import { Security } from './security.js';
import { SubmitService, submitDefinition } from './submit-service.js';
import { seededRandom, ulidFactory } from './ulid.js';

export interface FakeArmadaOptions {
  /** The same seed makes the same jobs with the same fates. */
  readonly seed?: number;
  /** Time between two steps of a submitted job. Milliseconds. */
  readonly stepMs?: number;
  /** How long after a change its events are published, at random. Milliseconds. By default as with a real Armada: 50 to 250. */
  readonly eventDelayMs?: readonly [least: number, most: number];
}

/** A method without a contract: bytes in both directions. */
export type RawMethod = (call: ServerDuplexStream<Buffer, Buffer>) => void;

/**
 * A server that behaves as Armada does on the wire, as far as this project needs it: `api.Event`, `api.Jobs`, `api.Submit` and
 * `api.QueueService`, with optional permissions, and faults on demand. It keeps everything in memory.
 */
export class FakeArmada {
  readonly faults = new Faults();
  readonly state = new ArmadaState(
    new EventIngester(this.faults, () => this.eventDelayMs()),
    () => this.faults.now.lookoutLagMs,
  );
  readonly calls = new CallLog();
  readonly security = new Security(this.state.queues, this.faults, () => this.dropConnections());
  readonly events = new EventServer(this.state, this.faults, this.security);
  private readonly random: () => number;
  private readonly eventDelayMs: () => number;
  readonly submit: SubmitService;
  private readonly server = new Server({
    'grpc.max_concurrent_streams': 10_000,
    interceptors: [this.calls.interceptor, this.security.interceptor],
  });
  private readonly simulations: SimulatedJobSets[] = [];
  private listensAt: string | undefined;

  constructor({ seed = 1, stepMs = 300, eventDelayMs: [least, most] = [50, 250] }: FakeArmadaOptions = {}) {
    // Armada's own servers keep every deadline.
    keepLongDeadlines();
    this.random = seededRandom(seed);
    // A sequence of its own: how many changes there are must not decide which jobs there are.
    const delays = seededRandom(seed);
    this.eventDelayMs = () => least + delays() * (most - least);
    this.submit = new SubmitService(this.state, this.faults, { newJobId: ulidFactory(this.random), stepMs });
    const queues = queueMethods(this.state.queues, this.faults);
    this.server.addService(eventService, this.events.implementation);
    this.server.addService(JobsService, jobsService(this.state, this.faults));
    this.server.addService(submitDefinition, { ...this.submit.implementation, ...queues });
    this.server.addService(QueueDefinition, queues);
    this.server.addService(
      FaultServiceService,
      faultService(this.state, this.faults, this.events, this.calls),
    );
    this.addMethod(NEW_METHOD, echo);
  }

  /** Adds a method that is in none of our contracts, such as `/api.Submit/SomethingNew`. */
  addMethod(path: string, method: RawMethod): void {
    const asTheyAre = (bytes: Buffer): Buffer => bytes;
    this.server.register<Buffer, Buffer>(path, method, asTheyAre, asTheyAre, 'bidi');
  }

  /** Listens at `host:port` (port 0: any free one); resolves to the `host:port` it listens at. */
  async listen(address: string): Promise<string> {
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(new Error(`cannot listen at ${address}: ${error.message}`));
      });
    });
    this.listensAt = `${address.slice(0, address.lastIndexOf(':'))}:${port}`;
    return this.listensAt;
  }

  /** Behaves as a server that crashes and restarts at once. */
  dropConnections(): void {
    if (this.listensAt !== undefined) this.server.drain(this.listensAt, 0);
  }

  /**
   * Replays a recorded job set, byte for byte, with the states and errors that `api.Jobs` returned for it, and the details in its
   * events; ids of runs are made up where no event names them.
   */
  replay({ queue, jobSetId, messages, states, errors }: Recording): void {
    this.state.openLog(queue, jobSetId).appendRecorded(messages);
    for (const [jobId, name] of Object.entries(states)) {
      const state = JobState[name as keyof typeof JobState];
      this.state.jobs.set(
        jobId,
        armadaJob({ jobId, queue, jobSetId }, { state, error: errors[jobId] ?? '' }),
      );
    }
    for (const { bytes } of messages) {
      const { message } = EventStreamMessage.decode(bytes);
      const job = this.state.jobs.get(message?.events?.value.jobId ?? '');
      if (message !== undefined && job !== undefined) applyEvent(job, message);
    }
  }

  /** Starts job sets whose jobs are submitted, run and end all the time. */
  liveOn(options: Omit<SimulationOptions, 'random' | 'newJobId'>): void {
    const newJobId = ulidFactory(this.random);
    this.simulations.push(new SimulatedJobSets(this.state, { ...options, random: this.random, newJobId }));
  }

  /** Ends every call and stops listening. Its state stays. */
  stop(): void {
    for (const simulation of this.simulations) simulation.stop();
    this.submit.stop();
    this.server.forceShutdown();
  }
}

/** A method that newer servers could have: it echoes every message, and ends when its caller does. */
export const NEW_METHOD = '/api.Submit/SomethingNew';

const echo: RawMethod = (call) => {
  call.on('error', () => undefined);
  call.on('data', (message: Buffer) => call.write(message));
  call.on('end', () => call.end());
};
