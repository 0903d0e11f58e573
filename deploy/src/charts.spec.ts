import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '@ajs/config';
import { parse } from 'yaml';
import { NAMESPACE, newestHelm, olderHelm, type Chart, type Helm, type Rendered } from './helm.js';
import { customProblemsIn, installValidator, problemsIn } from './kubernetes-schemas.js';
import { ROOT } from './root.js';

const VALUES = join(import.meta.dirname, 'values');
/** The oldest that the charts allow, and later ones. */
const KUBERNETES = ['1.30.0', '1.32.0', '1.34.0', '1.37.0'];
/** Helm is built from its source the first time. */
const BUILD_MS = 900_000;

const CASES = (['ingester', 'query'] as const).flatMap((chart) =>
  readdirSync(join(VALUES, chart)).map((file) => ({ chart, file, values: join(VALUES, chart, file) })),
);

let helms: Helm[];
let python: string;
const rendered = new Map<string, Rendered[]>();

beforeAll(() => {
  helms = [newestHelm(), olderHelm()];
  python = installValidator();
  for (const { chart, values } of CASES) rendered.set(values, template(chart, ['-f', values]));
}, BUILD_MS);

function template(chart: Chart, args: readonly string[]): Rendered[] {
  return newestHelm().template(chart, 'release', args);
}

function objectsOf(values: string): Rendered[] {
  return rendered.get(values) ?? [];
}

function only(objects: readonly Rendered[], kind: string, name?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && (name ?? object.metadata.name) === object.metadata.name,
  );
  expect(found).toHaveLength(1);
  return found[0] as Rendered;
}

interface PodTemplate {
  readonly metadata: {
    readonly labels: Record<string, string>;
    readonly annotations: Record<string, string>;
  };
  readonly spec: PodSpec;
}

interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Record<string, unknown>;
  readonly terminationGracePeriodSeconds: number;
  readonly volumes?: readonly { readonly name: string }[];
  readonly containers: readonly Container[];
}

interface Container {
  readonly image: string;
  readonly securityContext: Record<string, unknown>;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string }[];
  readonly readinessProbe: Record<string, unknown>;
}

interface Workload {
  readonly template: PodTemplate;
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}

function workloads(objects: readonly Rendered[]): Workload[] {
  return objects
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map(({ spec }) => spec as Workload);
}

function podTemplates(objects: readonly Rendered[]): PodTemplate[] {
  return workloads(objects).map(({ template }) => template);
}

/** The templates, and the pod of `helm test`. */
function pods(objects: readonly Rendered[]): PodTemplate[] {
  const tests = objects.filter(({ kind }) => kind === 'Pod') as unknown as PodTemplate[];
  return [...podTemplates(objects), ...tests];
}

it('both charts share their common templates', () => {
  const [query, ingester] = ['query', 'ingester'].map((chart) =>
    readFileSync(join(ROOT, 'deploy/helm', chart, 'templates/_common.tpl'), 'utf8'),
  );
  expect(query).toBe(ingester);
});

describe.each(CASES)('the $chart with $file', ({ chart, values }) => {
  it('is accepted by helm lint, and rendered alike by Helm 3 and 4', () => {
    for (const helm of helms) {
      expect(helm.lint(chart, values)).toBe('');
      expect(helm.template(chart, 'release', ['-f', values])).toEqual(objectsOf(values));
    }
  });

  it.each(KUBERNETES)('is valid for Kubernetes %s', (version) => {
    expect(problemsIn(python, version, objectsOf(values))).toBe('');
  });

  it('uses custom resources as these are defined', () => {
    for (const object of objectsOf(values)) expect(customProblemsIn(object) ?? '').toBe('');
  });

  it('has settings that the process accepts', () => {
    const secrets = objectsOf(values).filter(({ kind }) => kind === 'Secret');
    const ownSecret = (parse(readFileSync(values, 'utf8')) as Record<string, unknown>)[
      'existingSettingsSecret'
    ];
    expect(secrets).toHaveLength(ownSecret === undefined ? 1 : 0);
    for (const { stringData } of secrets) {
      const folder = mkdtempSync(join(tmpdir(), 'settings-'));
      try {
        const file = join(folder, 'settings.yaml');
        writeFileSync(file, (stringData as Record<string, string>)['settings.yaml'] ?? '');
        expect(() => loadSettings({ argv: ['--config', file], env: {} })).not.toThrow();
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
  });

  it('runs pods as the restricted pod security standard demands', () => {
    for (const { spec } of pods(objectsOf(values))) {
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext } of spec.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  it('selects with every selector the pods of this release, and no others', () => {
    const labelled = pods(objectsOf(values)).map(({ metadata }) => metadata.labels);
    const selectors = objectsOf(values).flatMap(({ kind, spec }) => {
      const { selector, podSelector } = (spec ?? {}) as Record<string, Record<string, unknown> | undefined>;
      const matchLabels = (selector?.['matchLabels'] ?? podSelector?.['matchLabels']) as object | undefined;
      return matchLabels ? [matchLabels] : kind === 'Service' ? [selector as object] : [];
    });
    expect(selectors.length).toBeGreaterThan(0);
    for (const selector of selectors as Record<string, string>[]) {
      const selected = labelled.filter((labels) =>
        Object.entries(selector).every(([name, value]) => labels[name] === value),
      );
      expect(selected).toHaveLength(1);
      expect(selector['app.kubernetes.io/instance']).toBe('release');
    }
  });

  it('has a port for each name that refers to one, and a volume for each mount', () => {
    for (const { template, volumeClaimTemplates } of workloads(objectsOf(values))) {
      const claims = (volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);
      const volumes = (template.spec.volumes ?? []).map(({ name }) => name);
      const mounts = template.spec.containers.flatMap(({ volumeMounts }) => volumeMounts);
      for (const { name } of mounts) expect([...claims, ...volumes]).toContain(name);
    }
    const ports = podTemplates(objectsOf(values)).flatMap(({ spec }) =>
      spec.containers.flatMap((container) => container.ports.map(({ name }) => name)),
    );
    const named = JSON.stringify(objectsOf(values)).matchAll(/"(?:targetPort|port)":"([a-z]+)"/g);
    for (const [, name] of named) expect(ports).toContain(name);
  });

  it('names only metrics that there are', () => {
    const there = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8');
    const kinds = ['PrometheusRule', 'ScaledObject', 'HorizontalPodAutoscaler'];
    const texts = objectsOf(values).filter(({ kind }) => kinds.includes(kind));
    for (const [metric] of JSON.stringify(texts).matchAll(/armada_job_service_\w+/g)) {
      expect(there).toContain(`\`${metric.replace(/_bucket$/, '')}\``);
    }
  });

  it('puts every object into the namespace of the release, with the same labels', () => {
    for (const { kind, metadata } of objectsOf(values)) {
      if (kind !== 'ClusterRoleBinding') expect(metadata.namespace).toBe(NAMESPACE);
      expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/instance': 'release' });
    }
  });
});

describe('values that cannot work are refused in words', () => {
  const REDIS = ['--set', 'applicationConfig.redisUrl=redis://redis:6379'];
  it.each<[Chart, string[], RegExp]>([
    ['query', ['--set', 'replica=3'], /replica/],
    ['query', ['--set', 'replicas=many'], /replicas/],
    ['query', ['--set', 'image.digest=latest'], /digest/],
    [
      'query',
      ['--set', 'applicationConfig.queryGrpcAddress=0.0.0.0:1'],
      /queryGrpcAddress: the chart sets it/,
    ],
    ['query', ['--set', 'ingress.enabled=true'], /ingress.enabled needs hostnames/],
    ['query', ['--set', 'gatewayApi.enabled=true'], /needs gatewayApi.parentRefs/],
    ['query', ['--set', 'tokenReview=true'], /needs automountServiceAccountToken/],
    ['query', ['--set', 'preStopSleepSeconds=41'], /at least 5 more than preStopSleepSeconds/],
    ['query', ['--set', 'keda.enabled=true'], /keda.serverAddress is empty/],
    [
      'ingester',
      ['--set', 'keda.enabled=true,keda.serverAddress=http://p,autoscaling.enabled=true'],
      /exclude each other/,
    ],
    ['ingester', ['--set', 'applicationConfig.ingesterHttpAddress=0.0.0.0:1'], /the chart sets it/],
    ['ingester', ['--set', 'ingress.enabled=true'], /ingress/],
  ])('%s with %j', (chart, args, words) => {
    expect(() => template(chart, [...REDIS, ...args])).toThrow(words);
  });
});

describe('what the values change', () => {
  const REDIS = ['--set', 'applicationConfig.redisUrl=redis://redis:6379'];
  const deployment = (args: string[]): PodTemplate =>
    podTemplates(template('query', [...REDIS, ...args]))[0] as PodTemplate;

  it('new settings start new pods', () => {
    const checksum = (args: string[]): string | undefined =>
      deployment(args).metadata.annotations['checksum/settings'];
    expect(checksum([])).toBe(checksum([]));
    expect(checksum(['--set', 'applicationConfig.logLevel=debug'])).not.toBe(checksum([]));
  });

  it('the query is probed over gRPC, and over the port of health where it has TLS, which the kubelet cannot probe', () => {
    const probe = (args: string[]): unknown => deployment(args).spec.containers[0]?.readinessProbe;
    expect(probe([])).toMatchObject({ grpc: { port: 60003 } });
    const tls = ['--set', 'applicationConfig.queryTlsCertFile=/c,applicationConfig.queryTlsKeyFile=/k'];
    expect(probe(tls)).toMatchObject({ httpGet: { path: '/readyz', port: 'health' } });
  });

  it('a bound of the disruption budget takes the place of the other, and a strategy that of the other’s fields', () => {
    const budget = template('query', [...REDIS, '--set', 'podDisruptionBudget.minAvailable=1']);
    const { minAvailable, maxUnavailable } = only(budget, 'PodDisruptionBudget')['spec'] as Rendered;
    expect([minAvailable, maxUnavailable]).toEqual([1, undefined]);
    const recreated = template('query', [...REDIS, '--set', 'strategy.type=Recreate']);
    const { strategy } = only(recreated, 'Deployment')['spec'] as Rendered;
    expect(strategy).toEqual({ type: 'Recreate' });
  });

  it('a release may have a number for a name', () => {
    const objects = newestHelm().template('query', '12', REDIS);
    expect(problemsIn(python, '1.34.0', objects)).toBe('');
  });

  it('helm test checks the settings, with the rights and credentials of the pods that run', () => {
    const objects = template('query', [...REDIS, '--set', 'env[0].name=LOG_LEVEL,env[0].value=debug']);
    const [running, check] = pods(objects).map(({ spec: { containers, ...spec } }) => {
      const { args, env, image, volumeMounts } = containers[0] as Container & Record<string, unknown>;
      return { args, rest: { ...spec, restartPolicy: undefined, env, image, volumeMounts } };
    });
    expect(check?.rest).toEqual(running?.rest);
    expect(check?.args).toEqual([...(running?.args as string[]), '--check-config']);
  });

  it('the StatefulSet of Redis has a short name, which Kubernetes makes longer in a label', () => {
    const { metadata } = only(
      newestHelm().template('ingester', 'a'.repeat(53), ['--set', 'redis.enabled=true']),
      'StatefulSet',
    );
    expect(metadata.name.length).toBeLessThanOrEqual(63 - '-0123456789'.length);
  });

  it('an autoscaler has the number of replicas to itself', () => {
    const replicas = (args: string[]): unknown =>
      (only(template('query', [...REDIS, ...args]), 'Deployment')['spec'] as { replicas?: number }).replicas;
    expect(replicas([])).toBe(2);
    expect(replicas(['--set', 'autoscaling.enabled=true'])).toBeUndefined();
    expect(replicas(['--set', 'keda.enabled=true,keda.serverAddress=http://p'])).toBeUndefined();
  });

  it('the query answers HTTP by the names that its callers use', () => {
    const secret = only(template('query', [...REDIS, '--set', 'hostnames={jobs.example.com}']), 'Secret');
    const settings = parse((secret['stringData'] as Record<string, string>)['settings.yaml'] ?? '') as Record<
      string,
      string
    >;
    const service = 'release-armada-job-service-query';
    expect(settings['queryAllowedHosts']?.split(',')).toEqual([
      service,
      `${service}.${NAMESPACE}`,
      `${service}.${NAMESPACE}.svc`,
      `${service}.${NAMESPACE}.svc.cluster.local`,
      'jobs.example.com',
    ]);
  });

  it('the Redis that the ingester starts is the one that its settings name', () => {
    const objects = template('ingester', ['--set', 'redis.enabled=true']);
    const secret = only(objects, 'Secret');
    const service = only(objects, 'Service');
    expect((secret['stringData'] as Record<string, string>)['settings.yaml']).toContain(
      `redisUrl: redis://${service.metadata.name}.${NAMESPACE}:6379`,
    );
  });
});

it('charts and packages have one version', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  for (const chart of ['query', 'ingester']) {
    const file = join(ROOT, 'deploy/helm', chart, 'Chart.yaml');
    expect(existsSync(file)).toBe(true);
    expect(parse(readFileSync(file, 'utf8'))).toMatchObject({ version, appVersion: version });
  }
});
