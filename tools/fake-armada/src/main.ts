// A fake Armada as a process. It prints one line of JSON when it listens: {"listening":"host:port"}.
import { parseArgs } from 'node:util';
import { FakeArmada, readRecordings } from '@ajs/testing';

const HELP = `fake-armada: behaves like Armada on the wire, and injects faults on request (fakearmada.v1.FaultService)

  --address HOST:PORT   listen address (default 127.0.0.1:50051; port 0: any free port)
  --queue NAME          queue of the demo job sets and of submitted jobs (default demo)
  --job-sets N          demo job sets (default 0), named demo-1, demo-2, ...
  --jobs N              jobs in each demo job set (default 20)
  --rate N              state changes per second, over all demo job sets (default 10)
  --step-ms N           time between two state changes of a submitted job (default 300)
  --lookout-lag-ms N    delay of api.Jobs behind the event streams (default 0; Armada: about 400)
  --seed N              the same seed gives the same jobs with the same outcomes (default 1)
  --replay PATH         a recording NAME.jsonl, or a folder of them; repeatable

A submitted job succeeds unless its pod spec contains one of these words: "exit N" (fails), "sleep N" (runs N seconds longer),
"sleep forever", "fate=retried", "fate=preempted", "fate=rejected", "fate=refused" (never becomes a job).
`;

const { values } = parseArgs({
  options: {
    address: { type: 'string', default: '127.0.0.1:50051' },
    queue: { type: 'string', default: 'demo' },
    'job-sets': { type: 'string', default: '0' },
    jobs: { type: 'string', default: '20' },
    rate: { type: 'string', default: '10' },
    'step-ms': { type: 'string', default: '300' },
    'lookout-lag-ms': { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
});

function count(name: 'job-sets' | 'jobs' | 'rate' | 'step-ms' | 'lookout-lag-ms' | 'seed'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 0) {
    console.error(`--${name} is "${values[name]}", but must be a whole number of at least 0`);
    process.exit(2);
  }
  return value;
}

if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const armada = new FakeArmada({ seed: count('seed'), stepMs: Math.max(count('step-ms'), 1) });
armada.faults.set({ lookoutLagMs: count('lookout-lag-ms') });
armada.state.queues.add(values.queue);
for (const path of values.replay) for (const recording of readRecordings(path)) armada.replay(recording);
const jobSets = count('job-sets');
if (jobSets > 0) armada.liveOn({ queue: values.queue, jobSets, jobs: count('jobs'), rate: count('rate') });
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    armada.stop();
    process.exit(0);
  });
}
try {
  console.log(JSON.stringify({ listening: await armada.listen(values.address) }));
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
