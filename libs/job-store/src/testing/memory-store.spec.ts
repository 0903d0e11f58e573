import { describeStore } from './conformance.js';
import { OWNER } from './memory-job-set.js';
import { MemoryJobStore } from './memory-store.js';

describeStore('in memory', () => {
  let passed = 0;
  const store = new MemoryJobStore(() => performance.now() + passed);
  return Promise.resolve({
    sink: store,
    lister: store,
    jobSets: store,
    owner: OWNER,
    provisional: store,
    life: store,
    changes: store,
    counts: (key) => Promise.resolve(store.counts(key)),
    pass: (ms: number) => {
      passed += ms;
      return Promise.resolve();
    },
  });
});
