import {
  ClientSecretBasic,
  ClientSecretPost,
  None,
  OperationProcessingError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
  allowInsecureRequests,
  customFetch,
  discoveryRequest,
  genericTokenEndpointRequest,
  processDiscoveryResponse,
  processGenericTokenEndpointResponse,
  type AuthorizationServer,
  type ClientAuth,
} from 'oauth4webapi';
import { boundedFetch, jwtExpiry } from '@ajs/platform';
import { authorizationOf, type Token, type TokenSource } from './token.js';

/** A client of an OpenID provider that gets tokens without a person. */
export interface OpenIdClient {
  readonly where: string;
  readonly providerUrl: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
}

export interface OpenIdOptions {
  /** Trusted roots for the provider, PEM; Node's own where it is `undefined`. */
  readonly roots: Buffer | undefined;
  readonly now: () => number;
}

/** The client is public: it has no secret of its own. */
export function passwordTokenSource(
  client: OpenIdClient & { readonly username: string; readonly password: string },
  options: OpenIdOptions,
): TokenSource {
  return openIdTokenSource(client, options, discovered, () => ({
    grantType: 'password',
    auth: None(),
    parameters: { username: client.username, password: client.password },
  }));
}

export function clientCredentialsTokenSource(
  client: OpenIdClient & { readonly clientSecret: string },
  options: OpenIdOptions,
): TokenSource {
  return openIdTokenSource(
    client,
    options,
    discovered,
    ({ token_endpoint_auth_methods_supported: methods }) => ({
      grantType: 'client_credentials',
      // A provider that does not say accepts Basic.
      auth:
        methods === undefined || methods.includes('client_secret_basic')
          ? ClientSecretBasic(client.clientSecret)
          : ClientSecretPost(client.clientSecret),
      parameters: {},
    }),
  );
}

/** Armada's own grant: the pod's token is exchanged at a fixed path, without discovery. */
export function kubernetesGrantTokenSource(
  client: OpenIdClient,
  podToken: () => Promise<string>,
  options: OpenIdOptions,
): TokenSource {
  const server = {
    issuer: client.providerUrl,
    token_endpoint: `${client.providerUrl}/connect/token`,
  };
  return openIdTokenSource(
    client,
    options,
    () => Promise.resolve(server),
    async () => ({
      grantType: 'kubernetes',
      auth: None(),
      parameters: { client_assertion: await podToken() },
    }),
  );
}

interface Grant {
  readonly grantType: string;
  readonly auth: ClientAuth;
  readonly parameters: Readonly<Record<string, string>>;
}

function openIdTokenSource(
  client: OpenIdClient,
  { roots, now }: OpenIdOptions,
  findServer: (client: OpenIdClient, http: Http) => Promise<AuthorizationServer>,
  grantAt: (server: AuthorizationServer) => Grant | Promise<Grant>,
): TokenSource {
  return {
    where: client.where,
    fetch: async (signal): Promise<Token> => {
      const http = httpOf(client, roots, signal);
      try {
        const server = await findServer(client, http);
        const { grantType, auth, parameters } = await grantAt(server);
        const { scopes, clientId } = client;
        const fields = { ...parameters, ...(scopes.length > 0 && { scope: scopes.join(' ') }) };
        const startedAt = now();
        const wireClient = { client_id: clientId };
        const response = await genericTokenEndpointRequest(server, wireClient, auth, grantType, fields, http);
        const answer = await processGenericTokenEndpointResponse(server, wireClient, response);
        return {
          authorization: authorizationOf('Bearer', answer.access_token),
          // `expires_in` counts by our clock, the token's own `exp` by the provider's.
          expiresAt:
            answer.expires_in === undefined
              ? jwtExpiry(answer.access_token)
              : startedAt + answer.expires_in * 1_000,
        };
      } catch (error) {
        // Without the cause: it holds the provider's own text.
        throw new Error(forPeople(error));
      }
    },
  };
}

async function discovered({ providerUrl }: OpenIdClient, http: Http): Promise<AuthorizationServer> {
  const issuer = new URL(providerUrl);
  return processDiscoveryResponse(issuer, await discoveryRequest(issuer, http));
}

type Http = ReturnType<typeof httpOf>;

/** Makes the library's requests bounded, and trusting the system's roots. */
function httpOf({ providerUrl }: OpenIdClient, roots: Buffer | undefined, signal: AbortSignal) {
  return {
    // armadactl accepts an http provider, too; there is a warning at the start. One with https must not have us send secrets without.
    [allowInsecureRequests]: new URL(providerUrl).protocol === 'http:',
    [customFetch]: async (
      url: string,
      init: { method: string; headers: Record<string, string>; body?: URLSearchParams | undefined },
    ): Promise<Response> => {
      const { status, headers, body } = await boundedFetch(new URL(url), {
        method: init.method === 'POST' ? 'POST' : 'GET',
        headers: init.headers,
        ...(init.body && { body: init.body.toString() }),
        ca: roots,
        signal,
      });
      // A status that allows no content, such as 204, takes not even an empty text.
      return new Response(body === '' ? null : withoutIdToken(body), { status, headers });
    },
  };
}

/** The library would check an id token against our clock, and we use none. */
function withoutIdToken(body: string): string {
  try {
    return JSON.stringify({ ...(JSON.parse(body) as object), id_token: undefined });
  } catch {
    return body;
  }
}

/** What went wrong, without the provider's free text: it may repeat what it was sent. */
function forPeople(error: unknown): string {
  if (error instanceof ResponseBodyError)
    return `the provider answered ${error.status}${codeOf(error.error)}`;
  if (error instanceof WWWAuthenticateChallengeError) {
    return `the provider answered ${error.status}${codeOf(error.cause[0]?.parameters['error'])}`;
  }
  const { message } = error as Error;
  if (error instanceof OperationProcessingError && error.cause instanceof Response) {
    return `the provider answered ${error.cause.status}: ${message}`;
  }
  return message;
}

/** Only what looks like a registered error code, such as `invalid_client`. */
function codeOf(code: string | undefined): string {
  return code !== undefined && /^\w{1,40}$/.test(code) ? ` (${code})` : '';
}
