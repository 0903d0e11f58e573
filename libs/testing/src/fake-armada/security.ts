import {
  ServerInterceptingCall,
  ServerListenerBuilder,
  status,
  type Metadata,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import type { Faults } from './faults.js';
import { findPrincipal, type Principal, type PrincipalRules } from './principals.js';
import type { Queues } from './queues.js';

export interface SecurityRules extends PrincipalRules {
  /** The groups that hold `watch_all_events`. */
  readonly watchAllGroups?: readonly string[];
}

/** Why a call is refused. */
interface Refusal {
  readonly code: status;
  readonly details: string;
}

const UNAUTHENTICATED: Refusal = {
  code: status.UNAUTHENTICATED,
  details: 'the credentials are missing or bad',
};
/** How tests control this server. */
const CONTROL = '/fakearmada.';

/**
 * Authentication and permissions as in Armada's server: every call is authenticated, and a job set's events are for those who may watch
 * its queue. Without rules everyone may do everything.
 */
export class Security {
  rules: SecurityRules | undefined;
  /** Whether it behaves as a server that just started: it has not read its queues yet, and cannot check permissions. */
  hasReadQueues = true;
  /** How often a caller has crashed the server, as a Basic header without a colon does. */
  crashes = 0;

  constructor(
    private readonly queues: Queues,
    private readonly faults: Faults,
    private readonly crash: () => void,
  ) {}

  readonly interceptor: ServerInterceptor = ({ path }, call) => {
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const principal = this.principalOf(metadata);
        if (path.startsWith(CONTROL) || this.faults.now.unavailable) next(metadata);
        else if (principal === undefined) call.sendStatus(UNAUTHENTICATED);
        else if (principal !== 'crash') next(metadata);
        else {
          this.crashes++;
          this.crash();
        }
      })
      .build();
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };

  /** Why a caller may not read the events of an existing queue; checked once, when a stream opens. */
  refuseWatching(queue: string, metadata: Metadata): Refusal | undefined {
    const principal = this.principalOf(metadata);
    if (principal === undefined || principal === 'crash') return UNAUTHENTICATED;
    if (this.rules === undefined || this.mayWatch(principal, queue, this.rules)) return undefined;
    return {
      code: status.PERMISSION_DENIED,
      details: `[GetJobSetEvents] error: ${principal.name} is not authorized to watch queue ${queue}`,
    };
  }

  private principalOf(metadata: Metadata): Principal | 'crash' | undefined {
    const [authorization] = metadata.get('authorization').map(String);
    return findPrincipal(this.rules ?? { anonymous: true }, authorization);
  }

  private mayWatch({ name, groups }: Principal, queue: string, { watchAllGroups }: SecurityRules): boolean {
    if (watchAllGroups?.some((group) => groups.includes(group))) return true;
    const permissions = this.queues.get(queue)?.permissions ?? [];
    return permissions
      .filter(({ verbs }) => verbs.includes('watch'))
      .flatMap(({ subjects }) => subjects)
      .some((subject) => (subject.kind === 'User' ? subject.name === name : groups.includes(subject.name)));
  }
}
