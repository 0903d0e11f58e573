import { dropEmptyExceptions, isLoopback, proxyFor, throughProxy } from './proxy.js';

const PROXY = 'http://user:secret@proxy.example:3128';
const described = (...args: Parameters<typeof proxyFor>) => proxyFor(...args)?.description;

describe('the proxy on the way to a host', () => {
  it.each([
    ['grpc', { grpc_proxy: PROXY, https_proxy: 'http://b', http_proxy: 'http://c' }, 'grpc_proxy'],
    ['grpc', { https_proxy: PROXY, http_proxy: 'http://c' }, 'https_proxy'],
    ['grpc', { http_proxy: PROXY }, 'http_proxy'],
    ['https', { grpc_proxy: 'http://a', https_proxy: PROXY, http_proxy: 'http://c' }, 'https_proxy'],
    ['https', { http_proxy: PROXY }, 'http_proxy'],
    ['http', { https_proxy: 'http://b', http_proxy: PROXY }, 'http_proxy'],
  ] as const)('of %s is the first that %j names, described without its login', (protocol, env, variable) => {
    expect(described('armada.example', protocol, env)).toBe(`http://proxy.example:3128, set by ${variable}`);
    expect(proxyFor('armada.example', protocol, env)?.url.password).toBe('secret');
  });

  it.each([{}, { https_proxy: '' }, { https_proxy: 'proxy:3128' }, { https_proxy: 'https://proxy' }])(
    'is none where the environment names none that is supported: %j',
    (env) => expect(described('armada.example', 'grpc', env)).toBeUndefined(),
  );

  it.each(['localhost', '127.0.0.1', '127.255.0.9', '::1', '[::1]'])('is none for loopback: %s', (host) => {
    expect(isLoopback(host)).toBe(true);
    for (const protocol of ['grpc', 'https'] as const) {
      expect(described(host, protocol, { https_proxy: PROXY })).toBeUndefined();
    }
  });

  it.each([
    ['armada.example', 'other, .example'],
    ['armada.example', '*'],
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.3', '192.168.0.0/16,10.0.0.0/8'],
    ['200.1.2.3', '200.1.2.2/31'],
  ])('is none for %s where no_proxy is "%s"', (host, no_proxy) => {
    expect(described(host, 'https', { https_proxy: PROXY, no_proxy })).toBeUndefined();
    expect(
      described(host, 'grpc', { https_proxy: PROXY, no_proxy: 'x', no_grpc_proxy: no_proxy }),
    ).toBeUndefined();
  });

  it.each([
    ['armada.example', 'example.armada,'],
    ['10.1.2.3', '10.2.0.0/16'],
    ['127.example', ''],
    ['armada.example', '10.0.0.0/8'],
  ])('is there for %s where no_proxy is "%s"', (host, no_proxy) => {
    expect(described(host, 'https', { https_proxy: PROXY, no_proxy })).toBeDefined();
  });

  it('is named by its address and by the setting that names it, after the cause of an error', () => {
    const proxy = proxyFor('armada.example', 'https', { https_proxy: PROXY });
    expect(proxy && throughProxy(proxy)).toBe(
      'through the proxy http://proxy.example:3128, set by https_proxy',
    );
  });
});

it('empty exceptions from proxies, which grpc-js takes for every host, are dropped', () => {
  const env = { no_proxy: 'a.example, ,b.example,', no_grpc_proxy: ',', https_proxy: PROXY };
  dropEmptyExceptions(env);
  expect(env).toEqual({ no_proxy: 'a.example,b.example', no_grpc_proxy: '', https_proxy: PROXY });
  const none = {};
  dropEmptyExceptions(none);
  expect(none).toEqual({});
});
