import { Cluster } from 'ioredis';

/** The second: the message of Redis begins with `Script attempted`, that of Valkey with `Attempted`. */
const IS_BEING_MOVED = /^ASK |^ERR .*attempted to access a non local key/i;

/**
 * A client of Redis Cluster that waits while a slot is moved.
 *
 * A slot moves key by key, and scripts use keys of a job set that they do not name beforehand. Once the first of them has gone,
 * the node that has the slot answers ASK, and at the node that gets it a script would take keys that are still to come for
 * absent: so ASK is not followed. Before that, a script that needs a key that has gone fails at the node that has the slot. Both
 * pass with the move, and are tried again as often as other redirections, 100 ms apart.
 */
export class ClusterClient extends Cluster {
  override handleError(...[error, ttl, handlers]: Parameters<Cluster['handleError']>): void {
    const redirection = IS_BEING_MOVED.test(error.message)
      ? new Error(`TRYAGAIN the slot is being moved: ${error.message}`)
      : error;
    super.handleError(redirection, ttl, handlers);
  }
}
