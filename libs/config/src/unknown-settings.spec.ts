import { nearestName, unknownVariables } from './unknown-settings.js';

const KNOWN = [
  'CONFIG_FILE',
  'ARMADA_URL',
  'REDIS_URL',
  'QUERY_HTTP_ADDRESS',
  'AUTH_MODE',
  'LOG_LEVEL',
  'WATCH_BUDGET',
  'REBALANCE_INTERVAL',
];

describe('an unknown variable', () => {
  it.each([
    ['REDIS_URI', 'REDIS_URL'],
    ['ARMADA_ULR', 'ARMADA_URL'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['log_level', 'LOG_LEVEL'],
    ['CONFIG_FILES', 'CONFIG_FILE'],
    ['WATCHES_BUDGET', 'WATCH_BUDGET'],
    ['REBALANCING_INTERVAL', undefined],
    ['REBALANCE_INTERVALL', 'REBALANCE_INTERVAL'],
    ['QUERY_HTTP_PORT', 'QUERY_HTTP_ADDRESS'],
    ['QUERY_HTTP', 'QUERY_HTTP_ADDRESS'],
    ['INGESTER_REBALANCE_INTERVAL', 'REBALANCE_INTERVAL'],
  ])('%s is refused if it resembles a setting, which is named: %s', (name, nearest) => {
    expect(unknownVariables({ [name]: '1' }, KNOWN)).toEqual(
      nearest === undefined ? [] : [`${name} (environment) is not a setting; did you mean ${nearest}?`],
    );
  });

  it('that resembles a setting is accepted if the setting itself is set', () => {
    expect(unknownVariables({ REDIS_URI: 'redis://h:1', REDIS_URL: 'redis://h:1' }, KNOWN)).toEqual([]);
    expect(unknownVariables({ REDIS_URI: 'redis://h:1', REDIS_URL: '' }, KNOWN)).toHaveLength(1);
  });

  it.each([
    ['set by Kubernetes for services of our names', serviceVariables('REDIS', 'ARMADA', 'QUERY', 'INGESTER')],
    [
      'set by Kubernetes for services that begin with our names',
      serviceVariables('QUERY_HTTP', 'ARMADA_SERVER'),
    ],
    [
      'of other programs',
      { PATH: '/bin', NODE_OPTIONS: '', REDIS_PASSWORD: 'x', REDIS_HOST: 'h', ARMADA_QUEUE: 'q' },
    ],
    ['of other programs that begin alike', { AUTH_TOKEN: 'x', LOG_FORMAT: 'json', ARMADA_OIDC_TOKEN: 'x' }],
  ])('%s is accepted', (_, env) => {
    expect(unknownVariables(env, KNOWN)).toEqual([]);
  });
});

describe('the nearest name', () => {
  it.each([
    ['armadaURL', 'armadaUrl'],
    ['redis', 'redisUrl'],
    ['watchbudget', 'watchBudget'],
  ])('of %s is %s', (name, nearest) => {
    expect(nearestName(name, ['armadaUrl', 'redisUrl', 'watchBudget'])).toBe(nearest);
  });
});

/** What a container sees of services, as Kubernetes documents it. */
function serviceVariables(...services: string[]): Record<string, string> {
  return Object.assign(
    {},
    ...services.map((service) => ({
      [`${service}_SERVICE_HOST`]: '10.0.0.11',
      [`${service}_SERVICE_PORT`]: '6379',
      [`${service}_SERVICE_PORT_GRPC`]: '6379',
      [`${service}_PORT`]: 'tcp://10.0.0.11:6379',
      [`${service}_PORT_6379_TCP`]: 'tcp://10.0.0.11:6379',
      [`${service}_PORT_6379_TCP_PROTO`]: 'tcp',
      [`${service}_PORT_6379_TCP_PORT`]: '6379',
      [`${service}_PORT_6379_TCP_ADDR`]: '10.0.0.11',
    })),
  ) as Record<string, string>;
}
