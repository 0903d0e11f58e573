import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '@ajs/config';
import { Metrics, createLog } from '@ajs/observability';
import { eventually } from '@ajs/testing';
import { loggedAccess, type LoggedAccess } from './logged-access.js';

const folder = mkdtempSync(join(tmpdir(), 'logged-access-'));
/** A provider that gives tokens for 8 s, which are renewed after two; or answers with an error. */
let provider: Server;
let isAvailable: boolean;
let access: LoggedAccess;
let lines: { level: string; msg: string }[];
let metrics: Metrics;

beforeAll(async () => {
  process.env['K8S_SERVICEACCOUNT_TOKEN'] = 'token-of-the-pod';
  provider = createServer((_, response) => {
    response.writeHead(isAvailable ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ access_token: 'ours', token_type: 'bearer', expires_in: 8 }));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
});

afterEach(() => access.identity.close());

afterAll(() => {
  delete process.env['K8S_SERVICEACCOUNT_TOKEN'];
  provider.closeAllConnections();
  provider.close();
  rmSync(folder, { recursive: true });
});

function start(): void {
  const providerUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const file = join(folder, 'settings.yaml');
  writeFileSync(
    file,
    `armadaAuth: { openIdKubernetesAuth: { providerUrl: "${providerUrl}", clientId: c } }\n`,
  );
  lines = [];
  metrics = new Metrics();
  access = loggedAccess({
    settings: loadSettings({ argv: ['--config', file], env: {} }),
    log: createLog('app', 'info', { write: (line: string) => lines.push(JSON.parse(line) as never) }),
    metrics,
  });
}

const logged = (text: string) => eventually(text, () => lines.find(({ msg }) => msg.startsWith(text)));

const counted = async (outcome: string): Promise<number> =>
  (await metrics.credentialRenewals.get()).values.find(({ labels }) => labels.outcome === outcome)?.value ??
  0;

const AGAIN = 'renewed the credential for Armada again';

describe('the credential of a running process', () => {
  it('that cannot be renewed is a warning while the current one is valid, and the next success a line of its own', async () => {
    isAvailable = true;
    start();
    expect(await access.identity.authorization()).toBe('Bearer ours');
    expect(lines.map(({ msg }) => msg)).toEqual([
      expect.stringContaining('uses http: secrets and tokens cross the network unencrypted'),
      expect.stringContaining('is sent to Armada without TLS'),
    ]);
    isAvailable = false;
    expect(
      await logged('could not renew the credential for Armada; the current one is still valid'),
    ).toMatchObject({ level: 'warn' });
    expect(access.renewal.standstill).toBeUndefined();
    isAvailable = true;
    await logged(AGAIN);
    const renewed = await counted('renewed');
    expect(renewed).toBeGreaterThanOrEqual(2);
    await eventually('it is renewed once more', async () => (await counted('renewed')) > renewed);
    expect(lines.filter(({ msg }) => msg === AGAIN)).toHaveLength(1);
    expect(await counted('failed')).toBeGreaterThanOrEqual(1);
  });

  it('that cannot be obtained at the start is an error, and standing still, until there is one', async () => {
    isAvailable = false;
    start();
    expect(await logged('could not obtain a credential for Armada')).toMatchObject({ level: 'error' });
    const standstill = await eventually('it is seen', () => access.renewal.standstill);
    expect(standstill).toMatch(/^no progress for \d+ s: no valid credential for Armada; the log says why$/);
    // Counted from the first failure.
    await eventually('it has failed again', async () => (await counted('failed')) >= 3);
    expect(access.renewal.standstill).toMatch(/^no progress for [1-9]/);
    expect(await counted('renewed')).toBe(0);
    isAvailable = true;
    await logged(AGAIN);
    expect(access.renewal.standstill).toBeUndefined();
  });
});
