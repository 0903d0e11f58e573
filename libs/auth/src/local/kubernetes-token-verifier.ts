import { readFileSync } from 'node:fs';
import { SettingsError } from '@ajs/config';
import { KubernetesApi, KubernetesApiError, SERVICE_ACCOUNT_FOLDER } from '@ajs/platform';
import { z } from 'zod';
import type { AuthSection } from './auth-section.js';
import { expiryOf, kubernetesToken } from '../presented-credential.js';
import { AuthError } from '../authorizer.js';
import type { CallerVerifier, VerifiedCaller } from './caller-verifier.js';
import { principal } from './principal.js';

/** The address of a cluster's API for its pods. */
const IN_CLUSTER_URL = 'https://kubernetes.default.svc';
const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';
const TIME_OUT_MS = 5_000;

const review = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    user: z.object({ username: z.string().min(1) }).optional(),
    audiences: z.array(z.string()).optional(),
  }),
});

/** Verifies tokens of service accounts by the Kubernetes API's TokenReview. */
export class KubernetesTokenVerifier implements CallerVerifier<'kubernetes'> {
  private readonly api: KubernetesApi;
  private readonly audiences: readonly string[];

  /** Throws SettingsError where its files cannot be read. Kubernetes replaces them later: they are read again for each review. */
  constructor({
    apiUrl = IN_CLUSTER_URL,
    tokenFile = `${SERVICE_ACCOUNT_FOLDER}/token`,
    caFile = `${SERVICE_ACCOUNT_FOLDER}/ca.crt`,
    audiences,
  }: NonNullable<AuthSection['kubernetesAuth']>) {
    const url = new URL(apiUrl);
    const files = { tokenFile, ...(url.protocol === 'https:' && { caFile }) };
    const problems = Object.entries(files).flatMap(([key, file]) => problemsOf(key, file));
    if (problems.length > 0) throw new SettingsError(problems);
    this.api = new KubernetesApi({ url, tokenFile, caFile });
    this.audiences = audiences;
  }

  async verify({ payload }: { payload: string }): Promise<VerifiedCaller> {
    const token = kubernetesToken(payload);
    if (token === undefined) throw refused('it is not base64url of a JSON object with a token');
    const { authenticated, user, audiences = [] } = await this.review(token);
    if (!authenticated || user === undefined) throw refused('the Kubernetes API does not know it');
    // A server that does not support audiences returns none: the token may then be meant for another service.
    if (this.audiences.length > 0 && !audiences.some((one) => this.audiences.includes(one)))
      throw refused('it is meant for another audience');
    // As in Armada, the user's name is also its group.
    return {
      principal: principal(user.username, [user.username]),
      expiresAt: expiryOf(`KubernetesAuth ${payload}`) ?? Infinity,
    };
  }

  private async review(token: string): Promise<z.output<typeof review>['status']> {
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, ...(this.audiences.length > 0 && { audiences: this.audiences }) },
    };
    const answer = await this.api.create(REVIEWS, request, { timeOutMs: TIME_OUT_MS }).catch(rethrow);
    const parsed = review.safeParse(answer);
    if (!parsed.success) throw unavailable('its answer is not a TokenReview');
    return parsed.data.status;
  }
}

function problemsOf(key: string, file: string): string[] {
  try {
    readFileSync(file);
    return [];
  } catch (error) {
    return [`auth.kubernetesAuth.${key} is "${file}", which cannot be read: ${(error as Error).message}`];
  }
}

function rethrow(error: unknown): never {
  // The API's message may repeat the token.
  throw unavailable(
    error instanceof KubernetesApiError ? `it answered with HTTP ${error.status}` : (error as Error).message,
  );
}

function unavailable(reason: string): AuthError {
  return new AuthError(
    'unavailable',
    `could not review your token with the Kubernetes API: ${reason}; try again`,
  );
}

function refused(why: string): AuthError {
  return new AuthError('unauthenticated', `invalid token (authorization: KubernetesAuth): ${why}`);
}
