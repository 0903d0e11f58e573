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

/** A client of an OpenID provider that may ask for tokens without a person. */
export interface OpenIdClient {
  readonly where: string;
  readonly providerUrl: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
}

export interface OpenIdOptions {
  /** Of the provider. PEM; Node's own where it is `undefined`. */
  readonly roots: Buffer | undefined;
  readonly now: () => number;
}

/** The client is a public one: it has no secret of its own. */
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
      // Basic is what a provider takes that does not say.
      auth:
        methods === undefined || methods.includes('client_secret_basic')
          ? ClientSecretBasic(client.clientSecret)
          : ClientSecretPost(client.clientSecret),
      parameters: {},
    }),
  );
}

/** Armada's own grant: the pod's token is handed in at a fixed path, and nothing is discovered. */
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
      const http = httpOf(roots, signal);
      try {
        const server = await findServer(client, http);
        const { grantType, auth, parameters } = await grantAt(server);
        const { scopes, clientId } = client;
        const asked = { ...parameters, ...(scopes.length > 0 && { scope: scopes.join(' ') }) };
        const begun = now();
        const wireClient = { client_id: clientId };
        const response = await genericTokenEndpointRequest(server, wireClient, auth, grantType, asked, http);
        const answer = await processGenericTokenEndpointResponse(server, wireClient, response);
        return {
          authorization: authorizationOf('Bearer', answer.access_token),
          // What it says of itself counts by the provider's clock, this by ours.
          expiresAt:
            answer.expires_in === undefined
              ? jwtExpiry(answer.access_token)
              : begun + answer.expires_in * 1_000,
        };
      } catch (error) {
        // Without the cause: it holds what the provider wrote.
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

/** What the library sends goes the way of all our requests: bounded, and with the system's roots. */
function httpOf(roots: Buffer | undefined, signal: AbortSignal) {
  return {
    // armadactl takes http too; there is a warning at the start.
    [allowInsecureRequests]: true,
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
      const empty = body === '' || status === 204;
      return new Response(empty ? null : withoutIdToken(body), { status, headers });
    },
  };
}

/** An id token that comes with the access token would be checked against our clock, and is not used at all. */
function withoutIdToken(body: string): string {
  try {
    return JSON.stringify({ ...(JSON.parse(body) as object), id_token: undefined });
  } catch {
    return body;
  }
}

/** What went wrong, without anything that the provider wrote freely: it may repeat what it was sent. */
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

/** Registered error codes are words such as `invalid_client`. */
function codeOf(code: string | undefined): string {
  return code !== undefined && /^\w{1,40}$/.test(code) ? ` (${code})` : '';
}
