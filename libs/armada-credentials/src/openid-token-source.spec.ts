import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CertificateAuthority } from '@ajs/testing';
import Provider from 'oidc-provider';
import {
  clientCredentialsTokenSource,
  kubernetesGrantTokenSource,
  passwordTokenSource,
  type OpenIdClient,
} from './openid-token-source.js';

const never = new AbortController().signal;
const NOW = 1_800_000_000_000;
const options = { roots: undefined, now: () => NOW };
const LIFE_S = 300;
/** Characters that must be encoded on their way. */
const SECRET = 's3cret: +/%&=';

const servers: Server[] = [];
let url: string;
let provider: Provider;
beforeAll(async () => {
  ({ url, provider } = await startProvider());
});
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(server: Server, scheme = 'http'): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A real provider, which gives access tokens to two clients. */
async function startProvider(): Promise<{ url: string; provider: Provider }> {
  const server = createServer();
  const url = await listen(server);
  const provider = new Provider(url, {
    clients: [
      {
        client_id: 'service',
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: 'person',
        token_endpoint_auth_method: 'none',
        grant_types: ['password'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: ['openid', 'armada', 'offline'],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    ttl: { ClientCredentials: LIFE_S, AccessToken: LIFE_S },
  });
  provider.registerGrantType(
    'password',
    async (context) => {
      const { username, password, scope } = context.oidc.params;
      if (username !== 'us' || password !== SECRET) {
        context.status = 400;
        context.body = { error: 'invalid_grant', error_description: `not ${String(password)}` };
        return;
      }
      const token = new provider.AccessToken({
        accountId: 'us',
        client: context.oidc.client,
        grantId: '',
        gty: 'password',
        scope: String(scope),
      });
      context.body = {
        access_token: await token.save(),
        expires_in: token.expiration,
        token_type: 'Bearer',
        id_token: 'x',
      };
    },
    ['username', 'password', 'scope'],
  );
  server.on('request', provider.callback() as Parameters<typeof createServer>[1] & object);
  return { url, provider };
}

const clientOf = (providerUrl: string, clientId: string, scopes: string[] = []): OpenIdClient => ({
  where: 'somewhere',
  providerUrl,
  clientId,
  scopes,
});

const tokenOf = (authorization: string): string => authorization.replace(/^Bearer /, '');

describe('client credentials', () => {
  it('get an access token with the requested scopes from a discovered provider', async () => {
    const source = clientCredentialsTokenSource(
      { ...clientOf(url, 'service', ['armada', 'offline']), clientSecret: SECRET },
      options,
    );
    const { authorization, expiresAt } = await source.fetch(never);
    expect(expiresAt).toBe(NOW + LIFE_S * 1_000);
    expect(await provider.ClientCredentials.find(tokenOf(authorization))).toMatchObject({
      clientId: 'service',
      scope: 'armada offline',
    });
  });

  it('that are wrong lead to the provider’s error code, and are not shown', async () => {
    const failure = clientCredentialsTokenSource(
      { ...clientOf(url, 'service'), clientSecret: 'hidden' },
      options,
    ).fetch(never);
    await expect(failure).rejects.toThrow(/^the provider answered 401 \(invalid_client\)$/);
  });

  const IN_HEADER = { authorization: `Basic ${Buffer.from('service:s').toString('base64')}` };
  it.each([
    ['says nothing of how', undefined, IN_HEADER],
    ['takes them there', ['client_secret_post', 'client_secret_basic'], IN_HEADER],
    ['takes them only there', ['client_secret_post', 'none'], { client_id: 'service', client_secret: 's' }],
  ])('are sent as header, or in the form to a provider that %s', async (_, methods, sent) => {
    let received: unknown;
    const url = await listen(
      createServer((request, response) => {
        response.setHeader('content-type', 'application/json');
        if (request.method === 'GET') {
          const endpoint = { issuer: url, token_endpoint: `${url}/token` };
          response.end(JSON.stringify({ ...endpoint, token_endpoint_auth_methods_supported: methods }));
          return;
        }
        void formOf(request).then(({ grant_type, ...form }) => {
          received = {
            ...form,
            ...(request.headers.authorization && { authorization: request.headers.authorization }),
          };
          response.end(JSON.stringify({ access_token: grant_type, token_type: 'Bearer' }));
        });
      }),
    );
    const source = clientCredentialsTokenSource({ ...clientOf(url, 'service'), clientSecret: 's' }, options);
    expect(await source.fetch(never)).toEqual({
      authorization: 'Bearer client_credentials',
      expiresAt: undefined,
    });
    expect(received).toEqual(sent);
  });
});

describe('user name and password', () => {
  it('get an access token; an id token beside it is ignored', async () => {
    const source = passwordTokenSource(
      { ...clientOf(url, 'person', ['openid']), username: 'us', password: SECRET },
      options,
    );
    const { authorization, expiresAt } = await source.fetch(never);
    expect(expiresAt).toBe(NOW + LIFE_S * 1_000);
    expect(await provider.AccessToken.find(tokenOf(authorization))).toMatchObject({
      accountId: 'us',
      clientId: 'person',
      scope: 'openid',
    });
  });

  it('that are wrong are not shown, although the provider repeats them', async () => {
    const source = passwordTokenSource(
      { ...clientOf(url, 'person'), username: 'us', password: 'hidden' },
      options,
    );
    await expect(source.fetch(never)).rejects.toThrow(/^the provider answered 400 \(invalid_grant\)$/);
  });
});

async function formOf(request: IncomingMessage): Promise<Record<string, string>> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return Object.fromEntries(new URLSearchParams(body));
}

describe("Armada's Kubernetes grant", () => {
  it("exchanges the pod's token at a fixed path", async () => {
    const requests: unknown[] = [];
    const url = await listen(
      createServer((request, response) => {
        void formOf(request).then((form) => {
          requests.push([request.method, request.url, form]);
          response.setHeader('content-type', 'application/json');
          response.end(JSON.stringify({ access_token: 'got', token_type: 'Bearer', expires_in: 60 }));
        });
      }),
    );
    const client = clientOf(`${url}/tenant`, 'service', ['openid', 'armada']);
    const source = kubernetesGrantTokenSource(client, () => Promise.resolve("the pod's"), options);
    expect(await source.fetch(never)).toEqual({ authorization: 'Bearer got', expiresAt: NOW + 60_000 });
    expect(requests).toEqual([
      [
        'POST',
        '/tenant/connect/token',
        {
          client_id: 'service',
          scope: 'openid armada',
          grant_type: 'kubernetes',
          client_assertion: "the pod's",
        },
      ],
    ]);
  });

  it('counts the time to live from before the request: the answer may have been long on its way', async () => {
    let now = NOW;
    const url = await listen(
      createServer((_, response) => {
        now += 5_000;
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ access_token: 'got', token_type: 'Bearer', expires_in: 60 }));
      }),
    );
    const client = clientOf(url, 'service');
    const source = kubernetesGrantTokenSource(client, () => Promise.resolve('x'), {
      ...options,
      now: () => now,
    });
    expect((await source.fetch(never)).expiresAt).toBe(NOW + 60_000);
  });

  it('takes the expiry from the token itself where the answer has none', async () => {
    const payload = Buffer.from(JSON.stringify({ exp: 1_900_000_000 })).toString('base64url');
    const url = await listen(
      createServer((_, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ access_token: `e30.${payload}.x`, token_type: 'bearer' }));
      }),
    );
    const source = kubernetesGrantTokenSource(clientOf(url, 'service'), () => Promise.resolve('x'), options);
    expect((await source.fetch(never)).expiresAt).toBe(1_900_000_000_000);
  });

  it.each([
    ['no JSON', 200, 'hidden', /^((?!hidden).)*$/],
    ['no token', 200, '{"token_type":"bearer","hidden":1}', /"access_token" property must be a string/],
    [
      'a token that cannot be a header',
      200,
      '{"access_token":"hid\\nden","token_type":"bearer"}',
      /one word of printable ASCII/,
    ],
    ['an error that is none', 500, 'hidden', /^the provider answered 500: /],
    ['an error with more than a code', 400, '{"error":"hidden is wrong"}', /^the provider answered 400$/],
    ['no content', 204, '', /^the provider answered 204: /],
    ['no end of it', 200, 'hidden'.repeat(100_000), /answered with more than 262144 bytes$/],
  ])('reports an answer with %s, without its text', async (_, status, body, problem) => {
    const url = await listen(
      createServer((__, response) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body);
      }),
    );
    const source = kubernetesGrantTokenSource(clientOf(url, 'service'), () => Promise.resolve('x'), options);
    const failure = source.fetch(never);
    await expect(failure).rejects.toThrow(problem);
    await expect(failure).rejects.not.toThrow('hidden');
  });
});

describe('a provider', () => {
  it('that is not reachable is reported with its address', async () => {
    const server = createServer();
    const url = await listen(server);
    server.close();
    const source = clientCredentialsTokenSource(
      { ...clientOf(url, 'service'), clientSecret: 'hidden' },
      options,
    );
    await expect(source.fetch(never)).rejects.toThrow(
      `${url}/.well-known/openid-configuration: connect ECONNREFUSED`,
    );
  });

  it('is not waited for when this process shuts down', async () => {
    const stopping = AbortSignal.abort(new Error('this process is shutting down'));
    const source = clientCredentialsTokenSource(
      { ...clientOf(url, 'service'), clientSecret: SECRET },
      options,
    );
    await expect(source.fetch(stopping)).rejects.toThrow('this process is shutting down');
  });

  it('that claims another issuer is not trusted', async () => {
    const url = await listen(
      createServer((_, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            issuer: 'https://elsewhere.example.com',
            token_endpoint: 'https://elsewhere.example.com/t',
          }),
        );
      }),
    );
    const source = clientCredentialsTokenSource(
      { ...clientOf(url, 'service'), clientSecret: 'hidden' },
      options,
    );
    await expect(source.fetch(never)).rejects.toThrow('issuer');
  });

  it('with TLS gets no secret at an endpoint without, which its document names', async () => {
    const requests: unknown[] = [];
    const endpoint = await listen(
      createServer((request, response) => {
        requests.push(request.url);
        response.writeHead(500).end();
      }),
    );
    const authority = await CertificateAuthority.create();
    const { cert, key } = await authority.sign(['127.0.0.1']);
    const url = await listen(
      createTlsServer({ cert, key }, (_, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ issuer: url, token_endpoint: `${endpoint}/token` }));
      }),
      'https',
    );
    authority.remove();
    const source = clientCredentialsTokenSource(
      { ...clientOf(url, 'service'), clientSecret: 'hidden' },
      { ...options, roots: Buffer.from(authority.cert) },
    );
    await expect(source.fetch(never)).rejects.toThrow(/HTTPS/);
    expect(requests).toEqual([]);
  });

  it.each(['"soon"', 'null', '[]', '-1', '1e999'])(
    'that answers with an expires_in of %s is reported, and its token not used',
    async (expiresIn) => {
      const url = await listen(
        createServer((_, response) => {
          response.setHeader('content-type', 'application/json');
          response.end(`{"access_token":"got","token_type":"Bearer","expires_in":${expiresIn}}`);
        }),
      );
      const source = kubernetesGrantTokenSource(
        clientOf(url, 'service'),
        () => Promise.resolve('x'),
        options,
      );
      await expect(source.fetch(never)).rejects.toThrow('"expires_in"');
    },
  );

  it('with TLS must have a certificate from a trusted root', async () => {
    const authority = await CertificateAuthority.create();
    const { cert, key } = await authority.sign(['127.0.0.1']);
    const url = await listen(
      createTlsServer({ cert, key }, (_, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ access_token: 'got', token_type: 'Bearer' }));
      }),
      'https',
    );
    authority.remove();
    const source = (roots: Buffer | undefined) =>
      kubernetesGrantTokenSource(clientOf(url, 'service'), () => Promise.resolve('x'), { ...options, roots });
    await expect(source(undefined).fetch(never)).rejects.toThrow('unable to verify the first certificate');
    expect(await source(Buffer.from(authority.cert)).fetch(never)).toEqual({
      authorization: 'Bearer got',
      expiresAt: undefined,
    });
  });
});
