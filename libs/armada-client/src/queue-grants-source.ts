import type { Grantees, QueueGrants } from '@ajs/auth';
import { QueueServiceService, type Queue } from '@ajs/contracts/api/submit';
import { status, type ServiceError } from '@grpc/grpc-js';
import { statusText } from './status-text.js';
import type { ChannelPool } from './channel-pool.js';
import { callUnary } from './unary-call.js';

const DEADLINE_MS = 5_000;
const WATCH = 'watch';

/** Reads the permissions of Armada's queues by `GetQueue`, over channels with our own credentials. */
export class ArmadaQueueGrantsSource implements QueueGrants {
  constructor(private readonly channels: ChannelPool) {}

  async watchersOf(queue: string): Promise<Grantees | undefined> {
    try {
      return watchersOf(
        await callUnary(this.channels, QueueServiceService.getQueue, { name: queue }, DEADLINE_MS),
      );
    } catch (error) {
      const { code, details } = error as ServiceError;
      if (code === status.NOT_FOUND) return undefined;
      throw new Error(statusText({ code, details }), { cause: error });
    }
  }
}

/** Owners hold every verb. Armada adds them to the permissions; a server that does not is supported, too. */
function watchersOf({ permissions, userOwners, groupOwners }: Queue): Grantees {
  const subjects = permissions
    .filter(({ verbs }) => verbs.includes(WATCH))
    .flatMap(({ subjects: all }) => all);
  const named = (kind: string): string[] =>
    subjects.filter((one) => one.kind === kind).map(({ name }) => name);
  return { users: [...named('User'), ...userOwners], groups: [...named('Group'), ...groupOwners] };
}
