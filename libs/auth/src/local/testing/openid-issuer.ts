import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import Provider from 'oidc-provider';
import { AuthError } from '../../authorizer.js';
import type { OpenIdTokenVerifier } from '../openid-token-verifier.js';

/** The audience of the tokens that clients get. */
export const AUDIENCE = 'https://jobs.example.org';

/** A key pair that a provider signs with. */
export interface Key {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

export async function newKey(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  return {
    kid,
    privateKey,
    publicKey,
    jwk: { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' },
  };
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A real OpenID provider, whose keys and responses a spec can replace. */
export class Issuer {
  readonly requests: string[] = [];
  /** Answers instead of the provider. */
  instead: Handler | undefined;
  private provider!: Handler;

  private constructor(
    readonly server: Server,
    readonly url: string,
  ) {}

  static async start(key: Key): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = new Issuer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    issuer.useKeys([key]);
    server.on('request', (request, response) => {
      issuer.requests.push(request.url ?? '');
      (issuer.instead ?? issuer.provider)(request, response);
    });
    return issuer;
  }

  useKeys(keys: readonly Key[]): void {
    const provider = new Provider(this.url, {
      jwks: { keys: keys.map(({ jwk }) => jwk as Record<string, string> & { kty: string }) },
      clients: [
        {
          client_id: 'airflow',
          client_secret: 'secret',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
        },
      ],
      scopes: ['jobs', 'more'],
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, audience) => ({
            audience,
            scope: 'jobs more',
            accessTokenFormat: 'jwt',
          }),
        },
      },
      extraTokenClaims: () => ({ groups: ['team-a', 'team-b'], team: 'a' }),
      ttl: { ClientCredentials: 300 },
    });
    const answer = provider.callback();
    this.provider = (request, response) => void answer(request, response);
  }

  /** An access token as any client gets one. */
  async token(): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('airflow:secret').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'jobs more', resource: AUDIENCE }),
    });
    return String(((await response.json()) as { access_token: unknown }).access_token);
  }

  /** A token with these claims, as the provider could have signed it. */
  async signed(claims: Record<string, unknown>, { kid, privateKey }: Key): Promise<string> {
    const whole = { iss: this.url, aud: AUDIENCE, sub: 'someone', exp: inSeconds(300), ...claims };
    return new SignJWT(whole).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
  }

  /** How often a path was requested. */
  timesRequested(path: string): number {
    return this.requests.filter((each) => each === path).length;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** The claim for a moment so many seconds from now. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

/** Why a verifier accepts no token; the message must not show the token. */
export async function refusalOf(verifier: OpenIdTokenVerifier, token: string): Promise<AuthError> {
  const error: unknown = await verifier.verify({ token }).catch((caught: unknown) => caught);
  if (!(error instanceof AuthError)) throw new Error(`not refused: ${JSON.stringify(error)}`);
  if (error.message.includes(token.slice(-40))) throw new Error('the message shows the token');
  return error;
}
