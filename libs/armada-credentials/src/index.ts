export { armadaAccess, type ArmadaAccess, type ArmadaSettings } from './armada-access.js';
export type { Surroundings } from './credential-kinds.js';
export { CredentialError, anonymous, fixedIdentity, type ArmadaIdentity } from './identity.js';
export { KubernetesApi } from './kubernetes-api.js';
export type { RenewalObserver } from './renewed-identity.js';
export { withoutTls, type ArmadaTransport } from './transport.js';
