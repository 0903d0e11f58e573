import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError, loadSettings, settingsHelp } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const file = join(folder, 'settings.yaml');
  writeFileSync(file, text);
  return file;
}

function problemsOf(env: Record<string, string>, argv: string[] = []): string {
  try {
    loadSettings({ argv, env });
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    return (error as Error).message;
  }
  throw new Error('no problem was found');
}

describe('settings', () => {
  it('have defaults', () => {
    expect(loadSettings({ argv: [], env: {} })).toMatchObject({
      queryGrpcAddress: { host: '0.0.0.0', port: 60003 },
      queryHttpAddress: { host: '0.0.0.0', port: 8090 },
      queryHealthAddress: null,
      ingesterHttpAddress: { host: '0.0.0.0', port: 8091 },
      authMode: 'delegated',
      followAfterPollMs: 600_000,
      deleteAfterPollMs: 86_400_000,
    });
  });

  it('are read from the file, and the environment overrides it', () => {
    const file = fileWith('armadaUrl: armada:50051\nlogLevel: debug\nwatchBudget: 7\nfirstPollWait: 500ms\n');
    const settings = loadSettings({ argv: ['--config', file], env: { LOG_LEVEL: 'warn' } });
    expect(settings).toMatchObject({
      armadaAddress: { text: 'armada:50051' },
      logLevel: 'warn',
      watchBudget: 7,
      firstPollWaitMs: 500,
    });
    expect(loadSettings({ argv: [], env: { CONFIG_FILE: file } }).logLevel).toBe('debug');
  });

  it('give health a port of its own where its address is set', () => {
    const env = { QUERY_HEALTH_ADDRESS: '[::1]:8092' };
    expect(loadSettings({ argv: [], env }).queryHealthAddress).toMatchObject({ host: '::1', port: 8092 });
    expect(problemsOf({ QUERY_HEALTH_ADDRESS: '8092' })).toContain('QUERY_HEALTH_ADDRESS');
  });

  it('forward nothing by default, and to the named services when switched on', () => {
    expect(loadSettings({ argv: [], env: {} })).toMatchObject({
      passThrough: false,
      maxForwardedWatches: 50,
    });
    const env = { PASS_THROUGH: 'on', FORWARDED_SERVICES: 'api.Submit, api.v2.Other' };
    expect(loadSettings({ argv: [], env })).toMatchObject({
      passThrough: true,
      forwardedServices: ['api.Submit', 'api.v2.Other'],
    });
  });

  it('that are empty count as unset', () => {
    expect(loadSettings({ argv: ['--config', fileWith('')], env: { LOG_LEVEL: '' } }).logLevel).toBe('info');
  });

  it.each([
    ['redis://h:1', { kind: 'single', url: 'redis://h:1' }],
    ['rediss://u:p@h:6380/2', { kind: 'single', url: 'rediss://u:p@h:6380/2' }],
    [
      'redis-cluster://a:1,b:2',
      {
        kind: 'cluster',
        tls: false,
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
    [
      'rediss-cluster://u:p%40@a:1,[::1]:2',
      {
        kind: 'cluster',
        tls: true,
        username: 'u',
        password: 'p@',
        nodes: [
          { host: 'a', port: 1 },
          { host: '::1', port: 2 },
        ],
      },
    ],
    [
      'rediss-sentinel://u:p@a:1,b:2/my.master',
      {
        kind: 'sentinel',
        tls: true,
        username: 'u',
        password: 'p',
        sentinels: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        name: 'my.master',
      },
    ],
  ])('parse the address of Redis: %s', (url, target) => {
    expect(loadSettings({ argv: [], env: { REDIS_URL: url } }).redis).toEqual(target);
  });

  it('carry the prefix of the keys to wherever Redis is', () => {
    const env = { REDIS_URL: 'redis-cluster://a:1', REDIS_KEY_PREFIX: 'lab' };
    expect(loadSettings({ argv: [], env }).redis).toMatchObject({ kind: 'cluster', keyPrefix: 'lab' });
  });

  it.each([
    ['ARMADA_URL', 'https://armada:443'],
    ['ARMADA_URL', 'armada'],
    ['ARMADA_URL', 'armada:70000'],
    ['REDIS_URL', 'http://h:1'],
    ['REDIS_URL', 'redis-cluster://a,b'],
    ['REDIS_URL', 'redis://'],
    ['REDIS_URL', 'redis-cluster://a:1/x'],
    ['REDIS_URL', 'redis-sentinel://a:1'],
    ['REDIS_URL', 'redis-sentinel://a:1/x/y'],
    ['REDIS_KEY_PREFIX', '{lab}'],
    ['REDIS_KEY_PREFIX', 'lab:'],
    ['REDIS_KEY_PREFIX', 'two words'],
    ['REDIS_KEY_PREFIX', 'ajs'],
    ['QUERY_GRPC_ADDRESS', '60003'],
    ['AUTH_MODE', 'none'],
    ['LOG_LEVEL', 'loud'],
    ['FOLLOW_AFTER_POLL', '10'],
    ['FOLLOW_AFTER_POLL', '-1m'],
    ['FOLLOW_AFTER_POLL', '10 minutes'],
    ['FOLLOW_AFTER_POLL', '9999999d'],
    ['PASS_THROUGH', 'yes'],
    ['FORWARDED_SERVICES', 'api.Submit,'],
    ['FORWARDED_SERVICES', 'Submit'],
    ['FORWARDED_SERVICES', 'api.Submit,api.Jobs'],
    ['FORWARDED_SERVICES', 'jobservice.v2.JobStatusService'],
    ['FORWARDED_SERVICES', '/api.Submit/'],
    ['QUERY_ALLOWED_HOSTS', 'jobs:8090'],
    ['QUERY_ALLOWED_HOSTS', 'http://jobs'],
    ['QUERY_ALLOWED_HOSTS', 'jobs,'],
    ['QUERY_CORS_ORIGINS', '*'],
    ['QUERY_CORS_ORIGINS', 'null'],
    ['QUERY_CORS_ORIGINS', 'jobs.example'],
    ['QUERY_CORS_ORIGINS', 'https://jobs.example/'],
    ['QUERY_CORS_ORIGINS', 'https://jobs.example/page'],
    ['QUERY_CORS_ORIGINS', 'https://jobs.example:443'],
    ['QUERY_CORS_ORIGINS', 'https://Jobs.example'],
    ['QUERY_CORS_ORIGINS', 'https://*.example'],
    ['QUERY_CORS_ORIGINS', 'https://user@jobs.example'],
    ['QUERY_CORS_ORIGINS', 'https://jöbs.example'],
    ['QUERY_CORS_ORIGINS', 'https://jobs.example https://other.example'],
    ['QUERY_CORS_ORIGINS', 'https://jobs.example,'],
    ['QUERY_CORS_ORIGINS', 'http://jobs.example:99999'],
    ['QUERY_CORS_ORIGINS', 'file:///page'],
    ['QUERY_CORS_ORIGINS', 'javascript://jobs.example'],
    ['REBALANCE_INTERVAL', '25d'],
    ['WATCH_BUDGET', '-1'],
    ['WATCH_BUDGET', '1e3'],
  ])('refuse %s=%s with the name, the value and what is allowed', (name, value) => {
    const message = problemsOf({ [name]: value });
    expect(message).toContain(`${name} (environment) is "${value}", but must be `);
  });

  it('report every problem at once', () => {
    const message = problemsOf({ LOG_LEVEL: 'loud', ARMADA_URL: 'x', REDIS_URL: 'y' });
    expect(message.split('\n')).toHaveLength(4);
  });

  it.each([
    ['http://user:secret@h:1', 'http://***@h:1'],
    ['redis://user:sec/ret@h:1', 'redis://***@h:1'],
    ['redis://user:se@cr et@h:1', 'redis://***@h:1'],
    ['user:secret@h:1', '***@h:1'],
    ['redis-cluster://user:secret@h:1,h:x', 'redis-cluster://***@h:1,h:***'],
    ['redis://user:secret', 'redis://user:***'],
    ['redis://h:1/x?password=secret', 'redis://h:1/x?***'],
  ])('never show credentials in an error: %s', (url, shown) => {
    expect(problemsOf({ REDIS_URL: url })).toContain(`REDIS_URL (environment) is "${shown}"`);
  });

  it('carry the TLS files of Redis and the login of its sentinels, which need an address with TLS and sentinels', () => {
    const env = {
      REDIS_URL: 'rediss-sentinel://a:1/m',
      REDIS_TLS_CA_FILE: 'ca.pem',
      REDIS_TLS_CERT_FILE: 'own.crt',
      REDIS_TLS_KEY_FILE: 'own.key',
      REDIS_TLS_SERVER_NAME: 'redis.test',
      REDIS_SENTINEL_USERNAME: 'watcher',
      REDIS_SENTINEL_PASSWORD: 'x',
    };
    expect(loadSettings({ argv: [], env }).redis).toMatchObject({
      caFile: 'ca.pem',
      certFile: 'own.crt',
      keyFile: 'own.key',
      serverName: 'redis.test',
      sentinelUsername: 'watcher',
      sentinelPassword: 'x',
    });
    const problems = problemsOf({ ...env, REDIS_URL: 'redis://a:1' });
    for (const name of ['CA_FILE', 'CERT_FILE', 'KEY_FILE', 'SERVER_NAME']) {
      expect(problems).toContain(`REDIS_TLS_${name} is set, but REDIS_URL does not use TLS`);
    }
    for (const name of ['USERNAME', 'PASSWORD']) {
      expect(problems).toContain(`REDIS_SENTINEL_${name} is set, but REDIS_URL names no sentinels`);
    }
  });

  it('refuse half a client certificate for Redis, and a user of its sentinels without a password', () => {
    const together = 'REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE must be set together';
    const REDIS_URL = 'rediss-sentinel://a:1/m';
    expect(problemsOf({ REDIS_URL, REDIS_TLS_CERT_FILE: 'own.crt' })).toContain(together);
    expect(problemsOf({ REDIS_URL, REDIS_TLS_KEY_FILE: 'own.key' })).toContain(together);
    expect(problemsOf({ REDIS_URL, REDIS_SENTINEL_USERNAME: 'watcher' })).toContain(
      'REDIS_SENTINEL_USERNAME is set without REDIS_SENTINEL_PASSWORD',
    );
  });

  it('refuse an unknown key of the file and name the nearest one', () => {
    const file = fileWith('armadaURL: a:1\narmadaauth: {}\n');
    const problems = problemsOf({}, ['--config', file]);
    expect(problems).toContain(`armadaURL (${file}) is not a setting; did you mean armadaUrl?`);
    expect(problems).toContain(`armadaauth (${file}) is not a setting; did you mean armadaAuth?`);
  });

  it('refuse a key that holds its value, and do not show that', () => {
    const file = fileWith('{ logLevel: info, authCacheSecret:secret }\n');
    const problems = problemsOf({}, ['--config', file]);
    expect(problems).toContain(
      `authCacheSecret:*** (${file}) is not a setting; did you mean authCacheSecret?`,
    );
    expect(problems).not.toContain(':secret');
  });

  it('refuse a mistyped variable and name the nearest one', () => {
    const problems = problemsOf({ WATCH_BUDGT: '7', LOG_LEVEL: 'loud' });
    expect(problems).toContain('WATCH_BUDGT (environment) is not a setting; did you mean WATCH_BUDGET?');
    expect(problems).toContain('LOG_LEVEL (environment) is "loud"');
  });

  it.each([
    ['- a\n', 'must consist of "name: value" lines'],
    ['logLevel: [debug]\n', 'must be a single value, not a list'],
    ['a: b: c\n', 'cannot be read'],
  ])('refuse the file %j', (text, problem) => {
    expect(problemsOf({}, ['--config', fileWith(text)])).toContain(problem);
  });

  it("leave armadactl's own variables to its file, and refuse them without one", () => {
    const env = { ARMADAURL: 'armada:50051', CURRENTCONTEXT: 'main' };
    expect(problemsOf(env)).toContain('ARMADAURL (environment) is not a setting; did you mean ARMADA_URL?');
    expect(() =>
      loadSettings({ argv: [], env: { ...env, ARMADACTL_CONFIG: 'armadactl.yaml' } }),
    ).not.toThrow();
    const file = fileWith('armadactlConfig: armadactl.yaml\n');
    expect(() => loadSettings({ argv: ['--config', file], env })).not.toThrow();
  });

  it('refuse a missing file and unknown arguments', () => {
    expect(problemsOf({ CONFIG_FILE: '/nowhere/x.yaml' })).toContain('/nowhere/x.yaml cannot be read');
    expect(problemsOf({}, ['--port', '1'])).toContain('--config FILE, --check-config and --help');
  });

  it('refuse durations that contradict each other', () => {
    expect(problemsOf({ FOLLOW_AFTER_POLL: '2h' })).toContain('FOLLOW_UNFINISHED_AFTER_POLL is shorter');
    expect(problemsOf({ DELETE_AFTER_POLL: '30m' })).toContain('DELETE_AFTER_POLL is shorter');
  });

  it('are listed by the help of the process that uses them', () => {
    const namesIn = (help: string): string[] => help.match(/^  [A-Z_]+/gm)?.map((name) => name.trim()) ?? [];
    const names = ['ARMADA_URL', 'QUERY_GRPC_ADDRESS', 'REBALANCE_INTERVAL'];
    const listed = (app: string): string[] =>
      names.filter((name) => namesIn(settingsHelp(app)).includes(name));
    expect(listed('query')).toEqual(['ARMADA_URL', 'QUERY_GRPC_ADDRESS']);
    expect(listed('ingester')).toEqual(['ARMADA_URL', 'REBALANCE_INTERVAL']);
  });
});
