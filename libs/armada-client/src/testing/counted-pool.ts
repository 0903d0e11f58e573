import { ChannelPool } from '../channel-pool.js';

/** For specs: a pool that says how many places on its connections are taken. */
export class CountedPool extends ChannelPool {
  taken = 0;

  override acquire(): ReturnType<ChannelPool['acquire']> {
    const { client, release } = super.acquire();
    this.taken++;
    return {
      client,
      release: () => {
        this.taken--;
        release();
      },
    };
  }
}
