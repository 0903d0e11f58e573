import { JobSubmitRequestItem } from '@ajs/contracts/api/submit';
import { PodSpec } from '@ajs/contracts/fakearmada/v1/pod';

const RESOURCES = { cpu: { string: '1' }, memory: { string: '1Gi' } };

/** A job as callers submit it: a pod of one container, `main`, that runs a shell command with the resources that Armada requires. */
export function submitItem(
  command = 'exit 0',
  fields: Partial<JobSubmitRequestItem> = {},
): JobSubmitRequestItem {
  const main = {
    name: 'main',
    image: 'busybox',
    args: ['sh', '-c', command],
    resources: { requests: RESOURCES, limits: RESOURCES },
  };
  const podSpec = PodSpec.encode({ containers: [main], initContainers: [] }).finish();
  return {
    ...JobSubmitRequestItem.decode(new Uint8Array()),
    namespace: 'default',
    podSpecs: [Buffer.from(podSpec)],
    ...fields,
  };
}
