import { z } from 'zod';
import type { KubernetesApi } from '@ajs/platform';
import { authorizationOf, type TokenSource } from './token.js';

export interface ServiceAccount {
  readonly where: string;
  readonly namespace: string;
  readonly name: string;
  /** The lifetime to request, in seconds; `undefined` for the API's default. */
  readonly expirySeconds: number | undefined;
}

const tokenRequest = z.object({
  status: z.object({ token: z.string().min(1), expirationTimestamp: z.iso.datetime({ offset: true }) }),
});

/** Tokens of a service account, wrapped for Armada's `KubernetesAuth`: with the CA by which it knows which cluster to ask. */
export function kubernetesTokenSource(
  { where, namespace, name, expirySeconds }: ServiceAccount,
  api: KubernetesApi,
): TokenSource {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(name)}/token`;
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: expirySeconds === undefined ? {} : { expirationSeconds: expirySeconds },
  };
  return {
    where,
    fetch: async (signal) => {
      const answer = tokenRequest.safeParse(await api.create(path, body, { signal }));
      if (!answer.success)
        throw new Error('the Kubernetes API answered something that is not a TokenRequest');
      const { token, expirationTimestamp } = answer.data.status;
      const ca = await api.clusterCa();
      const payload = JSON.stringify({ token, ca: ca.toString('base64url') });
      return {
        authorization: authorizationOf('KubernetesAuth', Buffer.from(payload).toString('base64url')),
        expiresAt: Date.parse(expirationTimestamp),
      };
    },
  };
}
