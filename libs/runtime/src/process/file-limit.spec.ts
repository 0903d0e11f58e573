import { connectionLimitProblem, fileLimitProblem } from './file-limit.js';

const limits = (
  soft: string,
): string => `Limit                     Soft Limit           Hard Limit           Units
Max processes             63000                63000                processes
Max open files            ${soft.padEnd(20)} 524288               files
Max locked memory         8388608              8388608              bytes
`;

describe('the limit of open files', () => {
  it('is a problem below 512, which names the limit and what to do', () => {
    expect(fileLimitProblem(limits('511'))).toBe(
      'the limit of open files (nofile) is 511, and this process needs at least 512; raise it (ulimit -n, LimitNOFILE)',
    );
    expect(fileLimitProblem(limits('512'))).toBeUndefined();
  });

  it('is a problem below the connections that a setting allows, which it names', () => {
    expect(connectionLimitProblem(20_000, 'QUERY_MAX_CONNECTIONS', limits('19999'))).toBe(
      'the limit of open files (nofile) is 19999, and QUERY_MAX_CONNECTIONS allows 20000 connections; raise the limit, or lower QUERY_MAX_CONNECTIONS',
    );
    expect(connectionLimitProblem(20_000, 'QUERY_MAX_CONNECTIONS', limits('20000'))).toBeUndefined();
  });

  it.each([limits('unlimited'), ''])(
    'is none where it is unlimited, or the system does not report it',
    (text) => {
      expect(fileLimitProblem(text)).toBeUndefined();
      expect(connectionLimitProblem(20_000, 'QUERY_MAX_CONNECTIONS', text)).toBeUndefined();
    },
  );
});
