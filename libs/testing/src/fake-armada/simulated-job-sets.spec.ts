import { JobState } from '@ajs/contracts/api/submit';
import { eventually } from '../index.js';
import { SpecServer } from './spec-server.js';

describe('simulated job sets', () => {
  it('have jobs that end, and then get new ones', async () => {
    const server = await SpecServer.start();
    try {
      server.armada.liveOn({ queue: 'demo', jobSets: 2, jobs: 5, rate: 1_000 });
      const { jobs } = server.armada.state;
      const ended = (): number =>
        Array.from(jobs.values()).filter(({ state }) => state === JobState.SUCCEEDED).length;
      await eventually('jobs end, and new ones come', () => ended() > 0 && jobs.size > 10);
      expect((await server.read({ queue: 'demo', id: 'demo-2' })).messages.length).toBeGreaterThan(10);
    } finally {
      server.stop();
    }
  });
});
