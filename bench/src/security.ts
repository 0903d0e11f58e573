import { CertificateAuthority } from '@ajs/testing';
import { median, thousands, type Figure } from './figure.js';
import { buildLoadGenerator, load } from './load.js';
import { withPolledJobs } from './polled-jobs.js';

const TARGETS = { delegated: 0.9, tls: 0.6 };
// A state of jobservice.JobServiceResponse.
const RUNNING = 2;

/** As long as a token with some groups in it. The query does not verify it: it asks Armada once. */
const TOKEN = [
  'header',
  { sub: 'bench', groups: Array.from({ length: 50 }, (_, i) => `group-${i}`) },
  'x'.repeat(256),
]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');

/** The cost of authorization and of TLS: legacy polls of running jobs, interleaved. */
export async function benchSecurity(quick: boolean): Promise<Figure[]> {
  const [jobs, rounds, seconds] = quick ? [1_000, 2, 1] : [10_000, 7, 3];
  const binary = buildLoadGenerator();
  const authority = await CertificateAuthority.create();
  try {
    const served = await authority.sign(['localhost', '127.0.0.1']);
    const measured = { anonymous: [] as number[], delegated: [] as number[], tls: [] as number[] };
    await withPolledJobs(jobs, async ({ query, startQuery, jobSet, running }) => {
      const delegated = await startQuery({ AUTH_MODE: 'delegated' });
      const tls = await startQuery({
        QUERY_TLS_CERT_FILE: served.certFile,
        QUERY_TLS_KEY_FILE: served.keyFile,
      });
      const common = { binary, jobSet, jobIds: running, state: RUNNING, seconds };
      // The first round only warms up: compiled code, verdicts, connections, caches.
      for (let round = 0; round <= rounds; round++) {
        const speeds = {
          anonymous: await load({ ...common, port: query.port }),
          delegated: await load({ ...common, port: delegated.port, authorization: `Bearer ${TOKEN}` }),
          tls: await load({ ...common, port: tls.port, ca: authority.certFile }),
        };
        if (round === 0) continue;
        for (const name of ['anonymous', 'delegated', 'tls'] as const)
          measured[name].push(speeds[name].callsPerSecond);
      }
    });
    const figure = (what: string, name: 'delegated' | 'tls'): Figure => {
      const ratio = median(measured[name].map((speed, i) => speed / (measured.anonymous[i] ?? NaN)));
      return {
        what,
        measured: `${thousands(median(measured[name]))}/s, ${ratio.toFixed(2)} of anonymous without TLS (${thousands(median(measured.anonymous))}/s)`,
        target: `${TARGETS[name]} of anonymous`,
        met: ratio >= TARGETS[name],
      };
    };
    return [
      figure(
        `polls with a token of ${thousands(TOKEN.length)} bytes (delegated, verdicts warm)`,
        'delegated',
      ),
      figure('polls with TLS, anonymous', 'tls'),
    ];
  } finally {
    authority.remove();
  }
}
