import { setTimeout as sleep } from 'node:timers/promises';
import type { AppProcess } from '../app-process.js';
import { patiently } from '../patiently.js';

/** A process, and how it joins and leaves those that are called. */
export interface Pod {
  readonly app: AppProcess;
  /** The URL of its port for health. */
  readonly http: string;
  readonly join?: () => void;
  readonly leave?: () => void;
}

/** Makes a pod of a bundle; `undefined`: the one in dist. */
export type StartPod = (bundle: string | undefined) => Promise<Pod>;

/** The pods of a Deployment, started and stopped in the order in which Kubernetes does both with the values of the charts. */
export class Pods {
  private running: Pod[] = [];
  private bundle: string | undefined;

  /** @param preStopMs how long a pod goes on after it began to leave, before it gets SIGTERM */
  constructor(
    private readonly start: StartPod,
    private readonly preStopMs: number,
  ) {}

  get all(): readonly Pod[] {
    return this.running;
  }

  /** As an autoscaler sets the number of replicas: new ones start together, those that are too many stop together. */
  async scale(replicas: number): Promise<void> {
    const missing = Math.max(0, replicas - this.running.length);
    this.running.push(...(await Promise.all(Array.from({ length: missing }, () => this.startOne()))));
    await Promise.all(this.running.splice(replicas).map((pod) => this.stop(pod)));
  }

  /** A rolling update with one pod more than there should be, and never one less. As in Kubernetes, pods that stop are not waited for. */
  async roll(bundle: string): Promise<void> {
    this.bundle = bundle;
    const old = this.running;
    this.running = [];
    const stopped: Promise<void>[] = [];
    try {
      for (const pod of old) {
        this.running.push(await this.startOne());
        stopped.push(this.stop(pod));
      }
    } finally {
      await Promise.all(stopped);
    }
  }

  private async startOne(): Promise<Pod> {
    const pod = await this.start(this.bundle);
    await patiently('the pod is ready', async () => (await fetch(`${pod.http}/readyz`)).ok);
    pod.join?.();
    return pod;
  }

  private async stop({ app, leave }: Pod): Promise<void> {
    leave?.();
    await sleep(this.preStopMs);
    app.signal('SIGTERM');
    expect(await app.ended()).toBe(0);
  }
}
