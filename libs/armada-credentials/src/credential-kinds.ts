import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubernetesApi, SERVICE_ACCOUNT_FOLDER } from '@ajs/platform';
import type { Context } from './context.js';
import { execTokens } from './exec-token-source.js';
import { placeOf, type Findings, type KeyPlace } from './findings.js';
import { basicAuthorization, fixedIdentity, type ArmadaIdentity } from './identity.js';
import { kubernetesNativeTokens } from './kubernetes-token-source.js';
import {
  clientCredentialsTokens,
  kubernetesGrantTokens,
  passwordTokens,
  type OpenIdClient,
} from './openid-token-source.js';
import { RenewedIdentity, type RenewalObserver } from './renewed-identity.js';
import { systemRoots } from './system-roots.js';
import type { TokenSource } from './token.js';

/** What the world around gives to a credential. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly observer: RenewalObserver;
  /** Where Kubernetes mounts the pod's token. */
  readonly serviceAccountFolder?: string;
}

interface Reading {
  readonly context: Context;
  readonly place: KeyPlace;
  readonly surroundings: Surroundings;
  readonly findings: Findings;
}

interface Kind {
  readonly key: keyof Context;
  /** Whether it is given, as armadactl sees it. */
  given(context: Context): boolean;
  /** What is missing is found; the identity then does not count. */
  identity(reading: Reading): ArmadaIdentity | undefined;
}

const basic: Kind = {
  key: 'basicAuth',
  given: ({ basicAuth }) => basicAuth.username !== '',
  identity: ({ context: { basicAuth }, place, findings }) => {
    if (basicAuth.username.includes(':')) {
      findings.problem(`${placeOf(place, 'basicAuth.username')} must hold no colon`);
    }
    return fixedIdentity(basicAuthorization(basicAuth.username, basicAuth.password));
  },
};

const kubernetesNative: Kind = {
  key: 'kubernetesNativeAuth',
  given: ({ kubernetesNativeAuth }) => kubernetesNativeAuth.enabled,
  identity: ({ context, place, surroundings, findings }) => {
    const where = placeOf(place, 'kubernetesNativeAuth');
    const { env, serviceAccountFolder } = surroundings;
    const { expiry } = context.kubernetesNativeAuth;
    if (expiry > 0 && expiry < 600) {
      findings.problem(
        `${placeOf(place, 'kubernetesNativeAuth.expiry')} must be at least 600 (seconds): Kubernetes gives no token for less`,
      );
    }
    const { SERVICE_ACCOUNT: name = '', POD_NAMESPACE: namespace = '' } = env;
    for (const [variable, value] of Object.entries({ SERVICE_ACCOUNT: name, POD_NAMESPACE: namespace })) {
      if (value === '')
        findings.problem(`${where} needs ${variable} in the environment; set it from the pod's fields`);
    }
    const api = KubernetesApi.inCluster(env, serviceAccountFolder);
    if (api === undefined) {
      findings.problem(
        `${where} works only inside a Kubernetes cluster (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name its ` +
          'API); use another kind elsewhere',
      );
      return undefined;
    }
    const account = { where, namespace, name, expirySeconds: expiry > 0 ? expiry : undefined };
    return renewed(kubernetesNativeTokens(account, api), surroundings);
  },
};

const interactive = (key: 'openIdAuth' | 'openIdDeviceAuth'): Kind => ({
  key,
  given: (context) => context[key].providerUrl !== '',
  identity: ({ place, findings }) => {
    findings.problem(
      `${placeOf(place, key)} needs an interactive login, which a service cannot do; use openIdClientCredentialsAuth, ` +
        'openIdPasswordAuth, openIdKubernetesAuth, kubernetesNativeAuth, basicAuth or execAuth instead',
    );
    return undefined;
  },
});

const openIdPassword: Kind = {
  key: 'openIdPasswordAuth',
  given: ({ openIdPasswordAuth }) => openIdPasswordAuth.providerUrl !== '',
  identity: (reading) => {
    const { openIdPasswordAuth: given } = reading.context;
    const { username, password } = given;
    reading.findings.need(reading.place, 'openIdPasswordAuth', { username, password });
    const client = openIdClient(reading, 'openIdPasswordAuth', given);
    const source = passwordTokens({ ...client, username, password }, openIdOptions(reading));
    return renewed(source, reading.surroundings);
  },
};

const openIdClientCredentials: Kind = {
  key: 'openIdClientCredentialsAuth',
  given: ({ openIdClientCredentialsAuth }) => openIdClientCredentialsAuth.providerUrl !== '',
  identity: (reading) => {
    const { openIdClientCredentialsAuth: given } = reading.context;
    const { clientSecret } = given;
    reading.findings.need(reading.place, 'openIdClientCredentialsAuth', { clientSecret });
    const client = openIdClient(reading, 'openIdClientCredentialsAuth', given);
    return renewed(
      clientCredentialsTokens({ ...client, clientSecret }, openIdOptions(reading)),
      reading.surroundings,
    );
  },
};

const openIdKubernetes: Kind = {
  key: 'openIdKubernetesAuth',
  given: ({ openIdKubernetesAuth }) => openIdKubernetesAuth.providerUrl !== '',
  identity: (reading) => {
    const client = openIdClient(reading, 'openIdKubernetesAuth', reading.context.openIdKubernetesAuth);
    const { env, serviceAccountFolder = SERVICE_ACCOUNT_FOLDER } = reading.surroundings;
    const podToken = async (): Promise<string> =>
      env['K8S_SERVICEACCOUNT_TOKEN'] || (await readFile(join(serviceAccountFolder, 'token'), 'utf8')).trim();
    return renewed(kubernetesGrantTokens(client, podToken, openIdOptions(reading)), reading.surroundings);
  },
};

const exec: Kind = {
  key: 'execAuth',
  given: ({ execAuth }) => execAuth.cmd !== '',
  identity: ({ context: { execAuth }, place, surroundings, findings }) => {
    if (execAuth.interactive) {
      findings.warning(
        `${placeOf(place, 'execAuth.interactive')} is true, but here the command runs without input`,
      );
    }
    const env = Object.fromEntries(execAuth.env.map(({ name, value }) => [name, value]));
    if ('' in env) findings.problem(`${placeOf(place, 'execAuth.env')} has an entry without a name`);
    const { cmd, args } = execAuth;
    return renewed(
      execTokens({ where: placeOf(place, 'execAuth'), cmd, args, env }),
      surroundings,
      'on-demand',
    );
  },
};

/** In armadactl's order: the first that is given counts. */
export const CREDENTIAL_KINDS: readonly Kind[] = [
  basic,
  kubernetesNative,
  interactive('openIdAuth'),
  interactive('openIdDeviceAuth'),
  openIdPassword,
  openIdClientCredentials,
  openIdKubernetes,
  exec,
];

function renewed(
  source: TokenSource,
  { observer }: Surroundings,
  renew: 'ahead' | 'on-demand' = 'ahead',
): ArmadaIdentity {
  return new RenewedIdentity({ source, renew, observer });
}

function openIdOptions({ surroundings }: Reading) {
  return { roots: systemRoots(surroundings.env), now: () => Date.now() };
}

function openIdClient(
  { place, findings }: Reading,
  key: string,
  { providerUrl, clientId, scopes }: Omit<OpenIdClient, 'where'>,
): OpenIdClient {
  findings.need(place, key, { clientId });
  const at = placeOf(place, `${key}.providerUrl`);
  const url = URL.canParse(providerUrl) ? new URL(providerUrl) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) {
    findings.problem(`${at} must be a URL, such as https://provider.example.com`);
  } else if (url.username !== '' || url.password !== '') {
    findings.problem(`${at} must hold no login`);
  } else if (url.protocol === 'http:') {
    findings.warning(`${at} uses http: secrets and tokens cross the network unencrypted`);
  }
  return { where: placeOf(place, key), providerUrl, clientId, scopes };
}
