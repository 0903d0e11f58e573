import { AllowedHosts } from './allowed-hosts.js';

describe('the HTTP API', () => {
  it.each([
    'localhost',
    'LOCALHOST:8090',
    '127.0.0.1:8090',
    '10.1.2.3',
    '[::1]:8090',
    '[fd00::1]',
    undefined,
  ])('may be requested as %s, which no web page can be named', (host) => {
    expect(() => new AllowedHosts([]).check(host)).not.toThrow();
  });

  it.each([
    'rebound.example:8090',
    'localhost.example',
    '127.0.0.1.example',
    '127.0.0.1:8090.example',
    '[::1].example',
    'jobs.internal.example',
    'localhost:8090:8090',
    '',
  ])('may not be requested as %s, a name that is not listed', (host) => {
    expect(() => new AllowedHosts(['jobs.internal']).check(host)).toThrow('QUERY_ALLOWED_HOSTS');
  });

  it('may be requested by a listed name in any letter case and with any port', () => {
    const hosts = new AllowedHosts(['Jobs.internal', 'jobs']);
    for (const host of ['jobs.INTERNAL', 'jobs.internal:8090', 'jobs:80']) hosts.check(host);
  });

  it('may be requested by every name where * is listed', () => {
    expect(() => new AllowedHosts(['*']).check('rebound.example')).not.toThrow();
  });
});
