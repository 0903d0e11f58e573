import { isUnreachable, type CallObserver, type EndedCall } from '@ajs/armada-client';
import { status } from '@grpc/grpc-js';
import { throttledLog, type Log, type Metrics, type ThrottledLog } from '@ajs/observability';

/** Refusals of reads are per queue: who follows the queue reports them. */
const READS_OF_QUEUES = /^api\.Event\//;

/**
 * Every call to Armada in the metrics, and in the log what somebody has to do about: credentials that Armada rejects, and permissions that
 * it does not grant. That Armada cannot be reached is for {@link ArmadaMonitor} to say.
 */
export class ArmadaCalls {
  /** Hears of calls that ended so that Armada may not be there. */
  onUnreachable: () => void = () => undefined;
  private readonly throttled: ThrottledLog;

  /** @param credentials the setting that holds our credentials; `none` */
  constructor(
    log: Log,
    private readonly metrics: Pick<Metrics, 'upstreamCalls' | 'upstreamCallSeconds'>,
    private readonly credentials: string,
  ) {
    this.throttled = throttledLog(log);
  }

  /** Of calls under our identity. */
  readonly own: CallObserver = (call) => {
    this.count(call, 'own');
    if (isUnreachable(call.code)) this.onUnreachable();
    const { method, code, details } = call;
    if (code === status.UNAUTHENTICATED) {
      this.throttled(
        'error',
        { method, reason: details },
        this.credentials === 'none'
          ? 'Armada requires credentials, and none are configured; set armadaAuth or ARMADACTL_CONFIG'
          : `Armada rejects the credentials of this service; check ${this.credentials} in armadaAuth, or in the file of ARMADACTL_CONFIG`,
      );
    }
    if (code === status.PERMISSION_DENIED && !READS_OF_QUEUES.test(method)) {
      this.throttled(
        'error',
        { method, reason: details },
        `Armada does not permit this service to call ${method}; grant its user the permission`,
      );
    }
  };

  /** Of calls with a caller's credentials: that Armada rejects them is the caller's affair. */
  readonly ofCallers: CallObserver = (call) => this.count(call, 'caller');

  private count({ method, code, seconds }: EndedCall, identity: 'own' | 'caller'): void {
    // A server may answer with a number that is not a gRPC code.
    this.metrics.upstreamCalls.inc({ method, identity, code: code in status ? status[code] : 'UNKNOWN' });
    if (seconds !== undefined) this.metrics.upstreamCallSeconds.observe({ method }, seconds);
  }
}
