import type { JobSubmitRequest, JobSubmitRequestItem } from '@ajs/contracts/api/submit';
import { PodSpec, type Container } from '@ajs/contracts/fakearmada/v1/pod';

/** Characters. Job set ids must be shorter. */
const JOB_SET_ID_LIMIT = 1_024;
const MAX_CLIENT_ID_LENGTH = 100;

/**
 * Why Armada's server refuses a submission as INVALID_ARGUMENT, in its words; `undefined` where it accepts it. One invalid item refuses
 * them all. Of Armada's rules (internal/server/submit/validation) these are the ones that need none of its configuration.
 */
export function refusalOf({ jobSetId, jobRequestItems }: JobSubmitRequest): string | undefined {
  if (jobSetId === '') return 'job set id is a required field';
  if (jobSetId.length >= JOB_SET_ID_LIMIT) {
    return `job set id of length ${jobSetId.length} must be less than max character length ${JOB_SET_ID_LIMIT}`;
  }
  return firstOf(jobRequestItems, refusalOfItem);
}

function refusalOfItem(item: JobSubmitRequestItem): string | undefined {
  const { namespace, podSpec, podSpecs, clientId } = item;
  if (namespace === '') return 'namespace is a required field';
  if (podSpec.length === 0 && podSpecs.length === 0) return 'Job must contain at least one PodSpec';
  if (podSpec.length > 0 && podSpecs.length > 0) {
    return 'PodSpec must be nil if PodSpecs is provided (i.e., these are exclusive)';
  }
  if (podSpecs.length > 1) return 'Jobs with multiple pods are not supported';
  const { containers, initContainers } = PodSpec.decode(podSpecs[0] ?? podSpec);
  const ofContainers = firstOf([...containers, ...initContainers], refusalOfContainer);
  if (ofContainers !== undefined) return ofContainers;
  return clientId.length > MAX_CLIENT_ID_LENGTH
    ? `client id of length ${clientId.length} is greater than max allowed length of  ${MAX_CLIENT_ID_LENGTH}`
    : undefined;
}

function refusalOfContainer({ name, resources }: Container): string | undefined {
  const { requests = {}, limits = {} } = resources ?? {};
  const requested = Object.keys(requests);
  if (requested.length === 0) return `container ${name} has no resources specified`;
  if (requested.length !== Object.keys(limits).length) {
    return `container ${name} defines different resources for requests and limits`;
  }
  const unlimited = requested.find((resource) => !Object.hasOwn(limits, resource));
  return unlimited === undefined
    ? undefined
    : `container ${name} defines ${unlimited} for requests but not limits`;
}

function firstOf<T>(items: readonly T[], refusal: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const why = refusal(item);
    if (why !== undefined) return why;
  }
  return undefined;
}
