export { armadaAccess, type ArmadaAccess } from './armada-access.js';
export { CredentialError, anonymous, fixedIdentity, type ArmadaIdentity } from './identity.js';
export { loggedAccess, type LoggedAccess } from './logged-access.js';
export { withoutTls, type ArmadaTransport } from './transport.js';
