import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubernetesApi, SERVICE_ACCOUNT_FOLDER } from '@ajs/platform';
import type { Context } from './context.js';
import { execTokenSource } from './exec-token-source.js';
import { placeOf, type Diagnostics, type KeyPlace } from './diagnostics.js';
import { basicAuthorization, fixedIdentity, type ArmadaIdentity } from './identity.js';
import { kubernetesTokenSource } from './kubernetes-token-source.js';
import {
  clientCredentialsTokenSource,
  kubernetesGrantTokenSource,
  passwordTokenSource,
  type OpenIdClient,
} from './openid-token-source.js';
import { RenewedIdentity, type RenewalObserver } from './renewed-identity.js';
import { systemRoots } from './system-roots.js';
import type { TokenSource } from './token.js';

/** What a credential needs of the process that it is used in. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly observer: RenewalObserver;
  /** Where Kubernetes mounts the pod's token. */
  readonly serviceAccountFolder?: string;
}

interface KindOptions {
  readonly context: Context;
  readonly place: KeyPlace;
  readonly environment: Environment;
  readonly diagnostics: Diagnostics;
}

interface CredentialKind {
  readonly key: keyof Context;
  /** Whether the context configures it, by armadactl's rule. */
  isConfigured(context: Context): boolean;
  /** Reports what is missing; the identity must not be used then. */
  createIdentity(options: KindOptions): ArmadaIdentity | undefined;
}

const basic: CredentialKind = {
  key: 'basicAuth',
  isConfigured: ({ basicAuth }) => basicAuth.username !== '',
  createIdentity: ({ context: { basicAuth }, place, diagnostics }) => {
    if (basicAuth.username.includes(':')) {
      diagnostics.problem(`${placeOf(place, 'basicAuth.username')} must hold no colon`);
    }
    return fixedIdentity(basicAuthorization(basicAuth.username, basicAuth.password));
  },
};

const kubernetesNative: CredentialKind = {
  key: 'kubernetesNativeAuth',
  isConfigured: ({ kubernetesNativeAuth }) => kubernetesNativeAuth.enabled,
  createIdentity: ({ context, place, environment, diagnostics }) => {
    const where = placeOf(place, 'kubernetesNativeAuth');
    const { env, serviceAccountFolder } = environment;
    const { expiry } = context.kubernetesNativeAuth;
    if (expiry > 0 && expiry < 600) {
      diagnostics.problem(
        `${placeOf(place, 'kubernetesNativeAuth.expiry')} must be at least 600 (seconds): Kubernetes gives no token for less`,
      );
    }
    const { SERVICE_ACCOUNT: name = '', POD_NAMESPACE: namespace = '' } = env;
    for (const [variable, value] of Object.entries({ SERVICE_ACCOUNT: name, POD_NAMESPACE: namespace })) {
      if (value === '')
        diagnostics.problem(`${where} needs ${variable} in the environment; set it from the pod's fields`);
    }
    const api = KubernetesApi.inCluster(env, serviceAccountFolder);
    if (api === undefined) {
      diagnostics.problem(
        `${where} works only inside a Kubernetes cluster (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name its ` +
          'API); use another kind elsewhere',
      );
      return undefined;
    }
    const account = { where, namespace, name, expirySeconds: expiry > 0 ? expiry : undefined };
    return renewed(kubernetesTokenSource(account, api), environment);
  },
};

const interactive = (key: 'openIdAuth' | 'openIdDeviceAuth'): CredentialKind => ({
  key,
  isConfigured: (context) => context[key].providerUrl !== '',
  createIdentity: ({ place, diagnostics }) => {
    diagnostics.problem(
      `${placeOf(place, key)} needs an interactive login, which a service cannot do; use openIdClientCredentialsAuth, ` +
        'openIdPasswordAuth, openIdKubernetesAuth, kubernetesNativeAuth, basicAuth or execAuth instead',
    );
    return undefined;
  },
});

const openIdPassword: CredentialKind = {
  key: 'openIdPasswordAuth',
  isConfigured: ({ openIdPasswordAuth }) => openIdPasswordAuth.providerUrl !== '',
  createIdentity: (options) => {
    const { openIdPasswordAuth: config } = options.context;
    const { username, password } = config;
    options.diagnostics.require(options.place, 'openIdPasswordAuth', { username, password });
    const client = openIdClient(options, 'openIdPasswordAuth', config);
    const source = passwordTokenSource({ ...client, username, password }, openIdOptions(options));
    return renewed(source, options.environment);
  },
};

const openIdClientCredentials: CredentialKind = {
  key: 'openIdClientCredentialsAuth',
  isConfigured: ({ openIdClientCredentialsAuth }) => openIdClientCredentialsAuth.providerUrl !== '',
  createIdentity: (options) => {
    const { openIdClientCredentialsAuth: config } = options.context;
    const { clientSecret } = config;
    options.diagnostics.require(options.place, 'openIdClientCredentialsAuth', { clientSecret });
    const client = openIdClient(options, 'openIdClientCredentialsAuth', config);
    return renewed(
      clientCredentialsTokenSource({ ...client, clientSecret }, openIdOptions(options)),
      options.environment,
    );
  },
};

const openIdKubernetes: CredentialKind = {
  key: 'openIdKubernetesAuth',
  isConfigured: ({ openIdKubernetesAuth }) => openIdKubernetesAuth.providerUrl !== '',
  createIdentity: (options) => {
    const client = openIdClient(options, 'openIdKubernetesAuth', options.context.openIdKubernetesAuth);
    const { env, serviceAccountFolder = SERVICE_ACCOUNT_FOLDER } = options.environment;
    const podToken = async (): Promise<string> =>
      env['K8S_SERVICEACCOUNT_TOKEN'] || (await readFile(join(serviceAccountFolder, 'token'), 'utf8')).trim();
    return renewed(kubernetesGrantTokenSource(client, podToken, openIdOptions(options)), options.environment);
  },
};

const exec: CredentialKind = {
  key: 'execAuth',
  isConfigured: ({ execAuth }) => execAuth.cmd !== '',
  createIdentity: ({ context: { execAuth }, place, environment, diagnostics }) => {
    if (execAuth.interactive) {
      diagnostics.warning(
        `${placeOf(place, 'execAuth.interactive')} is true, but a service runs the command without input`,
      );
    }
    const env = Object.fromEntries(execAuth.env.map(({ name, value }) => [name, value]));
    if ('' in env) diagnostics.problem(`${placeOf(place, 'execAuth.env')} has an entry without a name`);
    const { cmd, args } = execAuth;
    return renewed(
      execTokenSource({ where: placeOf(place, 'execAuth'), cmd, args, env }),
      environment,
      'on-demand',
    );
  },
};

/** In armadactl's order: the first that is configured counts. */
export const CREDENTIAL_KINDS: readonly CredentialKind[] = [
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
  { observer }: Environment,
  renew: 'ahead' | 'on-demand' = 'ahead',
): ArmadaIdentity {
  return new RenewedIdentity({ source, renew, observer });
}

function openIdOptions({ environment }: KindOptions) {
  return { roots: systemRoots(environment.env), now: () => Date.now() };
}

function openIdClient(
  { place, diagnostics }: KindOptions,
  key: string,
  { providerUrl, clientId, scopes }: Omit<OpenIdClient, 'where'>,
): OpenIdClient {
  diagnostics.require(place, key, { clientId });
  const at = placeOf(place, `${key}.providerUrl`);
  const url = URL.canParse(providerUrl) ? new URL(providerUrl) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) {
    diagnostics.problem(`${at} must be a URL, such as https://provider.example.com`);
  } else if (url.username !== '' || url.password !== '') {
    diagnostics.problem(`${at} must hold no login`);
  } else if (url.protocol === 'http:') {
    diagnostics.warning(`${at} uses http: secrets and tokens cross the network unencrypted`);
  }
  return { where: placeOf(place, key), providerUrl, clientId, scopes };
}
