import { Queue, type Queue_Permissions } from '@ajs/contracts/api/submit';

const EVERY_VERB = ['submit', 'cancel', 'preempt', 'reprioritize', 'watch'];

/** Who is granted a right by a queue. */
export interface Granted {
  readonly users?: readonly string[];
  readonly groups?: readonly string[];
}

/** Queues, as `GetQueue` shows them. */
export class Queues {
  private readonly queues = new Map<string, Queue>();

  /** Adds a queue with defaults; an existing one stays as it is. */
  add(name: string): void {
    if (!this.has(name)) this.create({ ...Queue.decode(new Uint8Array()), name, priorityFactor: 1 });
  }

  has(name: string): boolean {
    return this.queues.has(name);
  }

  get(name: string): Queue | undefined {
    return this.queues.get(name);
  }

  /** Returns owners as permissions with every verb, and no longer as owners. */
  create(queue: Queue): void {
    const { userOwners: users, groupOwners: groups } = queue;
    const owners = users.length + groups.length === 0 ? [] : [permissions({ users, groups }, EVERY_VERB)];
    this.queues.set(queue.name, {
      ...queue,
      userOwners: [],
      groupOwners: [],
      permissions: [...queue.permissions, ...owners],
    });
  }

  delete(name: string): void {
    this.queues.delete(name);
  }

  /** Lets these watch the queue and nobody else; creates it where it is missing. */
  letWatch(name: string, granted: Granted): void {
    this.add(name);
    const queue = this.queues.get(name);
    if (queue !== undefined)
      this.queues.set(name, { ...queue, permissions: [permissions(granted, ['watch'])] });
  }
}

function permissions({ users = [], groups = [] }: Granted, verbs: string[]): Queue_Permissions {
  const subjects = (kind: string, names: readonly string[]) => names.map((name) => ({ kind, name }));
  return { subjects: [...subjects('User', users), ...subjects('Group', groups)], verbs };
}
