import type { ProcessSize, Sizing } from './sizing.js';

const count = (value: number): string => Math.round(value).toLocaleString('en');
const memory = (mib: number): string => (mib < 10_240 ? `${mib} MiB` : `${Math.ceil(mib / 1_024)} GiB`);

/** A sizing, for people. */
export function sizingTable({ ingester, query, redis, armada, warnings }: Sizing): string {
  const ofProcess = ({ replicas, milliCores, memoryMib }: ProcessSize): string =>
    `${replicas} replicas, one of them for when another is away; each requests ${milliCores}m of CPU and is limited to ${memory(memoryMib)}`;
  const reads =
    armada.readsPerSecond === 0
      ? ''
      : `, and ${count(armada.readsPerSecond)} reads per second: a quiet job set is read every ${count(armada.readEverySeconds)} s`;
  return [
    `ingester  ${ofProcess(ingester)}`,
    `query     ${ofProcess(query)}`,
    `Redis     ${count(redis.jobs)} jobs: maxmemory ${memory(redis.maxmemoryMib)} on a server with ${memory(redis.memoryMib)}, ${redis.milliCores}m of CPU`,
    `Armada    ${count(armada.watches)} watches${reads}`,
    ...warnings.map((warning) => `warning   ${warning}`),
  ].join('\n');
}
