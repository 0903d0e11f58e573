import { basename, dirname } from 'node:path';
import { writeFileSync } from 'node:fs';
import { loadSettings, type Settings } from '@ajs/config';
import { TemporaryFolder } from '@ajs/testing';
import { newestHelm, type Chart, type Rendered } from './helm.js';

/** Helm is built from its source the first time. */
const BUILD_MS = 900_000;
const CHARTS = ['ingester', 'query'] as const;
const REDIS = 'applicationConfig.redisUrl=redis://redis:6379';

let folder: TemporaryFolder;
beforeAll(() => {
  newestHelm();
  folder = new TemporaryFolder('wiring');
}, BUILD_MS);
afterAll(() => folder.remove());

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly grpc?: { readonly port: number };
}

interface Pod {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: boolean;
  readonly enableServiceLinks: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly topologySpreadConstraints: readonly { readonly topologyKey: string }[];
  readonly volumes: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[];
  readonly containers: readonly [Container];
}

interface Container {
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
}

/** The objects of a release, with values as `--set` takes them. */
function made(chart: Chart, ...values: string[]): Rendered[] {
  return newestHelm().template(
    chart,
    'release',
    [REDIS, ...values].flatMap((value) => ['--set', value]),
  );
}

function only(objects: readonly Rendered[], kind: string, name?: string): Rendered {
  const found = objects.filter(
    (one) => one.kind === kind && (name ?? one.metadata.name) === one.metadata.name,
  );
  expect(found).toHaveLength(1);
  return found[0] as Rendered;
}

/** The `spec` of the only object of its kind. */
const specOf = (objects: readonly Rendered[], kind: string, name?: string) =>
  only(objects, kind, name)['spec'] as Record<string, unknown>;

const podOf = (objects: readonly Rendered[], kind = 'Deployment'): Pod =>
  (specOf(objects, kind)['template'] as { spec: Pod }).spec;

function settingsOf(objects: readonly Rendered[]): Settings {
  const { 'settings.yaml': text = '' } = only(objects, 'Secret')['stringData'] as Record<string, string>;
  const file = folder.file('settings.yaml');
  writeFileSync(file, text);
  return loadSettings({ argv: ['--config', file], env: {} });
}

describe.each(CHARTS)('the pods of the %s', (chart) => {
  it('read the settings of the release, or those in a Secret of its own', () => {
    for (const [values, secret] of [
      [[], only(made(chart), 'Secret').metadata.name],
      [['existingSettingsSecret=mine'], 'mine'],
    ] as const) {
      const { containers, volumes } = podOf(made(chart, ...values));
      const [{ args, volumeMounts }] = containers;
      const [option, file = ''] = args;
      expect([option, basename(file)]).toEqual(['--config', 'settings.yaml']);
      const mount = volumeMounts.find(({ mountPath }) => mountPath === dirname(file));
      expect(volumes.find(({ name }) => name === mount?.name)?.secret).toEqual({ secretName: secret });
    }
  });

  it('are probed for life by what needs nobody else, and for readiness by what does', () => {
    const [{ startupProbe, livenessProbe, readinessProbe }] = podOf(made(chart)).containers;
    const port = chart === 'query' ? 'health' : 'http';
    for (const probe of [startupProbe, livenessProbe])
      expect(probe.httpGet).toEqual({ path: '/healthz', port });
    if (chart === 'ingester') expect(readinessProbe.httpGet).toEqual({ path: '/readyz', port });
  });

  it('have the ports that their settings open', () => {
    const objects = made(chart);
    const { ports } = podOf(objects).containers[0];
    const { queryGrpcAddress, queryHttpAddress, queryHealthAddress, ingesterHttpAddress } =
      settingsOf(objects);
    expect(Object.fromEntries(ports.map(({ name, containerPort }) => [name, containerPort]))).toEqual(
      chart === 'ingester'
        ? { http: ingesterHttpAddress.port }
        : { grpc: queryGrpcAddress.port, http: queryHttpAddress.port, health: queryHealthAddress?.port },
    );
  });

  it('have five seconds to stop once no one calls them any more', () => {
    const { terminationGracePeriodSeconds, containers } = podOf(made(chart));
    const sleep = containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
    expect(terminationGracePeriodSeconds - sleep).toBeGreaterThanOrEqual(5);
    // Clients that resolve the name of the headless Service look again after 30 s.
    if (chart === 'query') expect(sleep).toBeGreaterThan(30);
  });

  it('get no variables of services, and a token of Kubernetes only where it is asked for', () => {
    const pod = podOf(made(chart));
    expect([pod.enableServiceLinks, pod.automountServiceAccountToken]).toEqual([false, false]);
    expect(podOf(made(chart, 'automountServiceAccountToken=true')).automountServiceAccountToken).toBe(true);
  });

  it('have the account that the chart makes, or a given one', () => {
    const objects = made(chart);
    expect(podOf(objects).serviceAccountName).toBe(only(objects, 'ServiceAccount').metadata.name);
    const given = made(chart, 'customServiceAccount=mine');
    expect(podOf(given).serviceAccountName).toBe('mine');
    expect(given.filter(({ kind }) => kind === 'ServiceAccount')).toEqual([]);
  });

  it('are spread over zones and nodes', () => {
    expect(podOf(made(chart)).topologySpreadConstraints.map(({ topologyKey }) => topologyKey)).toEqual([
      'topology.kubernetes.io/zone',
      'kubernetes.io/hostname',
    ]);
  });

  it('are scaled by the autoscaler that is switched on, between its bounds', () => {
    const bounds = ['autoscaling.minReplicas=3', 'autoscaling.maxReplicas=7'];
    const own = made(chart, 'autoscaling.enabled=true', ...bounds);
    const { name } = only(own, 'Deployment').metadata;
    expect(specOf(own, 'HorizontalPodAutoscaler')).toMatchObject({
      scaleTargetRef: { kind: 'Deployment', name },
      minReplicas: 3,
      maxReplicas: 7,
    });
    const keda = made(chart, 'keda.enabled=true', 'keda.serverAddress=http://prometheus', ...bounds);
    const { triggers, ...rest } = specOf(keda, 'ScaledObject');
    expect(rest).toMatchObject({ scaleTargetRef: { name }, minReplicaCount: 3, maxReplicaCount: 7 });
    const queries = (triggers as { type: string; metadata: Record<string, string> }[]).filter(
      ({ type }) => type === 'prometheus',
    );
    expect(queries.length).toBeGreaterThan(0);
    for (const { metadata } of queries) {
      expect(metadata['serverAddress']).toBe('http://prometheus');
      expect(metadata['query']).toContain(`namespace="jobs",pod=~"${name}-.*"`);
    }
  });

  it('are scraped at the port that serves metrics', () => {
    expect(specOf(made(chart, 'prometheus.enabled=true'), 'PodMonitor')).toMatchObject({
      namespaceSelector: { matchNames: ['jobs'] },
      podMetricsEndpoints: [{ port: chart === 'query' ? 'health' : 'http', path: '/metrics' }],
    });
  });

  it('are reached, behind a network policy, at their ports, and reach what they are let', () => {
    const peer = (key: string): string => `networkPolicy.${key}[0].ipBlock.cidr=10.0.0.0/8`;
    const from = [{ ipBlock: { cidr: '10.0.0.0/8' } }];
    const tcp = (port: number) => ({ protocol: 'TCP', port });
    const open = specOf(made(chart, 'networkPolicy.enabled=true'), 'NetworkPolicy');
    expect(open).toMatchObject({ policyTypes: ['Ingress', 'Egress'], egress: [{}] });
    const closed = made(
      chart,
      'networkPolicy.enabled=true',
      peer('monitoring'),
      'networkPolicy.egress[0].ports[0].port=6379',
      ...(chart === 'query' ? [peer('callers')] : []),
    );
    const { egress, ingress } = specOf(closed, 'NetworkPolicy');
    expect(egress).toEqual([
      { ports: [{ protocol: 'UDP', port: 53 }, tcp(53)] },
      { ports: [{ port: 6379 }] },
    ]);
    expect(ingress).toEqual(
      chart === 'query'
        ? [
            { ports: [tcp(60003), tcp(8090)], from },
            { ports: [tcp(8092)], from },
          ]
        : [{ ports: [tcp(8091)], from }],
    );
  });
});

describe('callers of the query', () => {
  const NAME = 'release-armada-job-service-query';
  const HOSTS = 'hostnames={jobs.example.com}';
  const TLS = ['applicationConfig.queryTlsCertFile=/c', 'applicationConfig.queryTlsKeyFile=/k'];

  it('reach gRPC and HTTP by one address, and by name each pod', () => {
    const objects = made('query');
    const ports = [
      { name: 'grpc', port: 60003, targetPort: 'grpc', appProtocol: 'kubernetes.io/h2c' },
      { name: 'http', port: 8090, targetPort: 'http' },
    ];
    expect(specOf(objects, 'Service', NAME)).toMatchObject({ type: 'ClusterIP', ports });
    expect(specOf(objects, 'Service', NAME)['clusterIP']).toBeUndefined();
    expect(specOf(objects, 'Service', `${NAME}-headless`)).toMatchObject({
      clusterIP: 'None',
      ports: [{ port: 60003, targetPort: 'grpc' }],
    });
  });

  it.each([[TLS], [['existingSettingsSecret=mine']]])(
    'are not told that gRPC is plaintext where it may have TLS: %j',
    (values) => {
      const [grpc] = specOf(made('query', ...values), 'Service', NAME)['ports'] as object[];
      expect(grpc).toEqual({ name: 'grpc', port: 60003, targetPort: 'grpc' });
    },
  );

  it('reach, through an ingress of one name, HTTP by its paths and gRPC by all others', () => {
    const objects = made('query', 'ingress.enabled=true', HOSTS, 'clusterIssuer=letsencrypt');
    for (const [port, paths] of [
      ['grpc', ['/']],
      ['http', ['/v1', '/v2', '/docs', '/openapi.json']],
    ] as const) {
      const backend = { service: { name: NAME, port: { name: port } } };
      const http = { paths: paths.map((path) => ({ path, pathType: 'Prefix', backend })) };
      expect(specOf(objects, 'Ingress', `${NAME}-${port}`)).toMatchObject({
        tls: [{ secretName: `${NAME}-tls`, hosts: ['jobs.example.com'] }],
        rules: [{ host: 'jobs.example.com', http }],
      });
    }
    const annotations = (port: string): unknown =>
      (only(objects, 'Ingress', `${NAME}-${port}`).metadata as { annotations?: unknown }).annotations;
    expect(annotations('grpc')).toEqual({
      'nginx.ingress.kubernetes.io/backend-protocol': 'GRPC',
      'cert-manager.io/cluster-issuer': 'letsencrypt',
    });
    expect(annotations('http')).toBeUndefined();
  });

  it('reach, through a gateway, HTTP by its paths and gRPC by its own route', () => {
    const objects = made('query', 'gatewayApi.enabled=true', HOSTS, 'gatewayApi.parentRefs[0].name=gateway');
    const route = { parentRefs: [{ name: 'gateway' }], hostnames: ['jobs.example.com'] };
    expect(specOf(objects, 'GRPCRoute')).toEqual({
      ...route,
      rules: [{ backendRefs: [{ name: NAME, port: 60003 }] }],
    });
    const prefix = (value: string) => ({ path: { type: 'PathPrefix', value } });
    const exact = { path: { type: 'Exact', value: '/openapi.json' } };
    expect(specOf(objects, 'HTTPRoute')).toEqual({
      ...route,
      rules: [
        {
          matches: [prefix('/v1'), prefix('/v2'), prefix('/docs'), exact],
          backendRefs: [{ name: NAME, port: 8090 }],
        },
      ],
    });
  });

  it('have their tokens reviewed with the account of the pods', () => {
    const objects = made('query', 'tokenReview=true', 'automountServiceAccountToken=true');
    const binding = only(objects, 'ClusterRoleBinding');
    expect(binding['roleRef']).toMatchObject({ kind: 'ClusterRole', name: 'system:auth-delegator' });
    const { serviceAccountName: name } = podOf(objects);
    expect(binding['subjects']).toEqual([{ kind: 'ServiceAccount', name, namespace: 'jobs' }]);
  });
});

describe('the Redis of the ingester', () => {
  it.each([
    [[], 'no', 'emptyDir'],
    [['redis.storage=1Gi'], 'yes', '1Gi'],
  ])('evicts nothing, and keeps its data where it has storage: %j', (values, appends, storage) => {
    const objects = made('ingester', 'redis.enabled=true', ...values);
    const { volumes, containers } = podOf(objects, 'StatefulSet');
    const [{ args, volumeMounts }] = containers;
    expect(args).toEqual(['--appendonly', appends, '--save', '', '--maxmemory-policy', 'noeviction']);
    expect(volumeMounts).toEqual([{ name: 'data', mountPath: '/data' }]);
    const { volumeClaimTemplates = [] } = specOf(objects, 'StatefulSet');
    expect(JSON.stringify([volumes, volumeClaimTemplates])).toContain(storage);
  });
});

it.each(CHARTS)('alerts of the %s are about its own pods', (chart) => {
  const { groups } = specOf(made(chart, 'prometheus.rules.enabled=true'), 'PrometheusRule') as {
    groups: { rules: { expr: string }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(2);
  const pods = `namespace="jobs",pod=~"release-armada-job-service-${chart}-.*"`;
  for (const { expr } of rules) expect(expr).toContain(pods);
});
