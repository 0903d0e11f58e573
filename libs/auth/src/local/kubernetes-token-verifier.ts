import { readFile } from 'node:fs/promises';
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { z } from 'zod';
import type { AuthSection } from './auth-section.js';
import { expiryOf, kubernetesToken } from '../shown-credential.js';
import { AuthError } from '../authorizer.js';
import { boundedText } from './bounded-text.js';
import type { CallerVerifier, VerifiedCaller } from './caller-verifier.js';
import { principal } from './principal.js';

/** Where a pod finds its cluster, and what it shows there. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const IN_CLUSTER_URL = 'https://kubernetes.default.svc';
const TIMEOUT_MS = 5_000;

const review = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    user: z.object({ username: z.string().min(1) }).optional(),
    audiences: z.array(z.string()).optional(),
  }),
});

/** Tokens of service accounts, which the Kubernetes API reviews (TokenReview). */
export class KubernetesTokenVerifier implements CallerVerifier<'kubernetes'> {
  constructor(private readonly config: NonNullable<AuthSection['kubernetesAuth']>) {}

  async verify({ payload }: { payload: string }): Promise<VerifiedCaller> {
    const token = kubernetesToken(payload);
    if (token === undefined) throw refused('it is not base64url of a JSON object with a token');
    const { status } = await this.review(token).catch((error: unknown) => {
      throw new AuthError(
        'unavailable',
        `the Kubernetes API cannot be asked about your token: ${(error as Error).message}; try again`,
      );
    });
    const { authenticated, user, audiences = [] } = status;
    if (!authenticated || user === undefined) throw refused('the Kubernetes API does not know it');
    // A server that knows nothing of audiences gives none back: the token may then be meant for somebody else.
    const wanted = this.config.audiences;
    if (wanted.length > 0 && !audiences.some((one) => wanted.includes(one)))
      throw refused('it is meant for others');
    // Armada takes the user's name for its group, too.
    return {
      principal: principal(user.username, [user.username]),
      until: expiryOf(`KubernetesAuth ${payload}`) ?? Infinity,
    };
  }

  private async review(token: string): Promise<z.output<typeof review>> {
    const {
      apiUrl = IN_CLUSTER_URL,
      tokenFile = `${SERVICE_ACCOUNT}/token`,
      caFile = `${SERVICE_ACCOUNT}/ca.crt`,
      audiences,
    } = this.config;
    const url = new URL('/apis/authentication.k8s.io/v1/tokenreviews', apiUrl);
    // Read each time: Kubernetes renews them, and answers are kept.
    const ourToken = (await readFile(tokenFile, 'utf8')).trim();
    const secure = url.protocol === 'https:' && { ca: await readFile(caFile) };
    const body = JSON.stringify({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, ...(audiences.length > 0 && { audiences }) },
    });
    const headers = { authorization: `Bearer ${ourToken}`, 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = secure === false ? requestHttp : requestHttps;
      send(url, { method: 'POST', headers, signal, ...secure }, resolve)
        .on('error', reject)
        .end(body);
    });
    const text = await boundedText(response as AsyncIterable<Buffer>);
    if (response.statusCode !== 200 && response.statusCode !== 201) {
      throw new Error(`it answers with HTTP ${response.statusCode}`);
    }
    return parseReview(text);
  }
}

/** What went wrong must not be told in more detail: the answer repeats the token. */
function parseReview(text: string): z.output<typeof review> {
  try {
    return review.parse(JSON.parse(text));
  } catch (error) {
    throw new Error('its answer is not a TokenReview', { cause: error });
  }
}

function refused(why: string): AuthError {
  return new AuthError(
    'unauthenticated',
    `your token (authorization: KubernetesAuth) is not accepted: ${why}`,
  );
}
