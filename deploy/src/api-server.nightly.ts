import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@ajs/testing';
import { ApiServer, buildApiServer } from './api-server.js';
import { NAMESPACE, newestHelm, olderHelm, type Chart, type Rendered } from './helm.js';
import { Guide } from './guide.js';
import { customResourceDefinitions } from './kubernetes-schemas.js';

const VALUES = join(import.meta.dirname, 'values');
/** Both programs are built from their sources the first time. */
const BUILD_MS = 3_600_000;

const CASES = (['ingester', 'query'] as const).flatMap((chart) =>
  readdirSync(join(VALUES, chart)).map((file) => ({ chart, file, values: join(VALUES, chart, file) })),
);
const guide = new Guide('kubernetes.md');

let server: ApiServer;

beforeAll(async () => {
  server = await ApiServer.start(buildApiServer());
  for (const definition of customResourceDefinitions()) await server.mustApply(definition);
  await eventually('custom resources are served', async () => {
    const groups = ['gateway.networking.k8s.io/v1', 'keda.sh/v1alpha1', 'monitoring.coreos.com/v1'];
    const answers = await Promise.all(groups.map((group) => server.ask('GET', `/apis/${group}`)));
    return answers.every(({ status }) => status === 200);
  });
  // What values refer to; and the account that a controller makes in each namespace.
  await server.mustApply(restricted(NAMESPACE));
  for (const name of ['default', 'armada-reader', 'batch'])
    await server.mustApply(inNamespace('v1', 'ServiceAccount', name));
  const priority = {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'high' },
    value: 1,
  };
  await server.mustApply(priority);
}, BUILD_MS);
afterAll(async () => {
  guide.remove();
  await server.stop();
});

/** Pods must meet the restricted standard of pod security, and objects with templates of pods are warned about. */
function restricted(name: string): object {
  const labels = {
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/warn': 'restricted',
  };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function inNamespace(apiVersion: string, kind: string, name: string, rest: object = {}): object {
  return { apiVersion, kind, metadata: { name, namespace: NAMESPACE }, ...rest };
}

describe.each(CASES)('the $chart with $file', ({ chart, values }) => {
  let objects: Rendered[];
  beforeAll(async () => {
    objects = newestHelm().template(chart, 'release', ['-f', values]);
    // Pods are refused without their account.
    for (const object of objects.filter(({ kind }) => kind === 'ServiceAccount'))
      await server.mustApply(object);
  });

  it('is accepted by the API server, without a warning', async () => {
    for (const object of objects) expect(await refusal(object)).toEqual([]);
  });

  it('runs pods that the restricted standard of pod security lets in', async () => {
    const pods = objects.flatMap(podsOf);
    expect(pods.length).toBeGreaterThan(0);
    for (const pod of pods) expect(await refusal(pod)).toEqual([]);
  });
});

it('a pod that is privileged is not let in', async () => {
  const container = { name: 'main', image: 'image', securityContext: { privileged: true } };
  const pod = inNamespace('v1', 'Pod', 'privileged', { spec: { containers: [container] } });
  expect(await refusal(pod)).toEqual([expect.stringContaining('violates PodSecurity "restricted')]);
});

/** Why the server would not take an object, and what it warns of. */
async function refusal(object: object): Promise<string[]> {
  const { status, warnings, body } = await server.apply(object, { isDryRun: true });
  return [...(status < 300 ? [] : [(body as { message: string }).message]), ...warnings];
}

describe.each([
  ['Helm 4', newestHelm],
  ['Helm 3', olderHelm],
])('%s', (_, helm) => {
  it.each<Chart>(['ingester', 'query'])(
    'installs the %s and takes it from each of the value files to the next',
    (chart) => {
      // The volumes of a StatefulSet cannot be changed: who wants to store Redis' data installs anew.
      const files = CASES.filter((one) => one.chart === chart && one.file !== 'with-stored-redis.yaml');
      for (const { values } of files) helm().upgrade(server.kubeconfig, chart, 'moved', ['-f', values]);
      helm().uninstall(server.kubeconfig, 'moved');
    },
  );
});

it('the commands of the guide install both charts, for a first try and then for good', () => {
  for (const command of guide.installs())
    newestHelm().runAsTyped(server.kubeconfig, guide.withFiles(command));
});

/** The pods that a Deployment or StatefulSet makes. */
function podsOf({ kind, metadata, spec }: Rendered): object[] {
  if (kind !== 'Deployment' && kind !== 'StatefulSet') return [];
  const { template, volumeClaimTemplates = [] } = spec as {
    template: { metadata: object; spec: { volumes?: object[] } };
    volumeClaimTemplates?: { metadata: { name: string } }[];
  };
  const claims = volumeClaimTemplates.map(({ metadata: { name } }) => ({
    name,
    persistentVolumeClaim: { claimName: name },
  }));
  return [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, name: metadata.name, namespace: metadata.namespace },
      spec: { ...template.spec, volumes: [...(template.spec.volumes ?? []), ...claims] },
    },
  ];
}
