import { createArmadaClient, type ArmadaClient } from '@ajs/armada-client';
import { armadaAccess } from '@ajs/armada-credentials';
import type { Settings } from '@ajs/config';
import type { Check } from './check-config.js';

/** So many queues are tried: a wrong permission is often that of all. */
const QUEUES = 100;
const CALLS_PER_SECOND = 20;

/** Whether Armada can be reached as whom the settings say, has `api.Jobs`, and lets this service watch the queues that have jobs. */
export async function checkArmada(settings: Settings): Promise<Check[]> {
  const observer = { renewed: () => undefined, failed: () => undefined };
  const { transport, identity, summary, warnings } = armadaAccess(settings, { env: process.env, observer });
  const armada = createArmadaClient({
    transport,
    identity,
    maxMessageBytes: settings.maxMessageBytes,
    callsPerSecond: CALLS_PER_SECOND,
  });
  try {
    const warned = warnings.map((found): Check => ({ what: 'Armada', outcome: 'warning', found }));
    const connected = await connects(
      armada,
      () => identity.authorization(),
      summary.armada,
      summary.armadaAuth,
    );
    if (connected.outcome === 'failed') return [...warned, connected];
    return [...warned, connected, await mayWatch(armada)];
  } finally {
    armada.close();
    identity.close();
  }
}

async function connects(
  armada: ArmadaClient,
  authorization: () => Promise<unknown>,
  address: string,
  auth: string,
): Promise<Check> {
  const what = 'Armada';
  try {
    await authorization();
  } catch (error) {
    return { what, outcome: 'failed', found: `no credential (${auth}): ${(error as Error).message}` };
  }
  try {
    await armada.health();
    return { what, outcome: 'ok', found: `connected to ${address} (${auth})` };
  } catch (error) {
    const help = 'see "Connecting to Armada" in docs/security.md';
    return { what, outcome: 'failed', found: `${address} (${auth}): ${(error as Error).message}; ${help}` };
  }
}

async function mayWatch(armada: ArmadaClient): Promise<Check> {
  const what = 'Armada rights';
  let queues: string[];
  try {
    const { activeQueuesByPool } = await armada.jobs.activeQueues();
    queues = [...new Set(Object.values(activeQueuesByPool).flatMap((pool) => pool.queues))];
  } catch (error) {
    const found = `its api.Jobs does not answer (${(error as Error).message}): jobs without events are not looked up`;
    return { what, outcome: 'warning', found };
  }
  if (queues.length === 0) return { what, outcome: 'warning', found: 'not tried: no queue has jobs' };
  const tried = queues.slice(0, QUEUES);
  const verdicts = await Promise.all(
    tried.map((queue) => armada.mayWatch(queue).catch((error: unknown) => (error as Error).message)),
  );
  const refused = tried.filter((_, i) => verdicts[i] !== 'yes');
  const of = `${tried.length - refused.length} of ${tried.length} queues that have jobs`;
  if (refused.length === 0) return { what, outcome: 'ok', found: `may watch ${of}` };
  const [first = ''] = refused;
  const why = String(verdicts[tried.indexOf(first)]);
  return {
    what,
    outcome: refused.length === tried.length ? 'failed' : 'warning',
    found: `may watch ${of}, but not ${first} (${why}); grant "watch" on the queue, or watch_all_events, to this service`,
  };
}
