import { Cluster, type ClusterNode, type ClusterOptions, type Redis } from 'ioredis';

/** The second: the message of Redis begins with `Script attempted`, that of Valkey with `Attempted`. */
const IS_BEING_MOVED = /^ASK |^ERR .*attempted to access a non local key/i;

/** As ioredis takes them, with the options of the nodes' connections required. */
export type ClusterClientOptions = Omit<ClusterOptions, 'redisOptions'> & {
  readonly redisOptions: Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'>;
};

/**
 * A client of Redis Cluster that waits while a slot is moved, and says why it cannot connect.
 *
 * A slot moves key by key, and scripts use keys of a job set that they do not name beforehand. Once the first of them has gone,
 * the node that has the slot answers ASK, and at the node that gets it a script would take keys that are still to come for
 * absent: so ASK is not followed. Before that, a script that needs a key that has gone fails at the node that has the slot. Both
 * pass with the move, and are tried again as often as other redirections, 100 ms apart.
 */
export class ClusterClient extends Cluster {
  private lastConnectionError: Error | undefined;

  constructor(startupNodes: ClusterNode[], options: ClusterClientOptions) {
    super(startupNodes, options);
    this.on('+node', (node: Redis) => this.listenToCopiesOf(node));
  }

  override handleError(...[error, ttl, handlers]: Parameters<Cluster['handleError']>): void {
    const redirection = IS_BEING_MOVED.test(error.message)
      ? new Error(`TRYAGAIN the slot is being moved: ${error.message}`)
      : error;
    super.handleError(redirection, ttl, handlers);
  }

  /** Says why no node could be asked for the slots: by itself the client says that none could. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const [error] = args;
    if (event !== 'error' || !(error instanceof Error) || !('lastNodeError' in error)) {
      return super.emit(event, ...args);
    }
    const cause = this.lastConnectionError ?? (error.lastNodeError as Error);
    this.lastConnectionError = undefined;
    return super.emit(event, new Error(`no node of Redis Cluster can be used: ${cause.message}`, { cause }));
  }

  /** The slots are asked for by a copy of a node's connection, whose errors the client throws away. */
  private listenToCopiesOf(node: Redis): void {
    const duplicate = node.duplicate.bind(node);
    node.duplicate = (options) => {
      const copy = duplicate(options);
      copy.on('error', (error) => (this.lastConnectionError = error));
      return copy;
    };
  }
}
