export { acceptAuthorization, expiryOf } from './presented-credential.js';
export { problemOfAuthorization } from './authorization.js';
export { AuthError, refusalText, type Authorizer, type Credential, type Verdict } from './authorizer.js';
export {
  admitsAnonymous,
  checkAuthSettings,
  createAuthorizer,
  type AuthorizerParts,
} from './create-authorizer.js';
export type { ArmadaPermissions, ArmadaVerdict } from './delegated/armada-permissions.js';
export type { QueueGrants } from './local/queue-grants.js';
export type { Grantees } from './local/queue-rights.js';
