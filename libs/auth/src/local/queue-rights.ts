import type { AuthSection } from './auth-section.js';
import type { Principal } from './principal.js';

/** Armada's permission to watch every queue. */
const WATCH_ALL = 'watch_all_events';

type Mappings = Pick<
  AuthSection,
  'permissionGroupMapping' | 'permissionScopeMapping' | 'permissionClaimMapping'
>;

/** Who is granted a right by a queue, or by a rule about it. */
export interface Grantees {
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

/** Whether the principal may watch every queue, by one of its groups, scopes or claims. */
export function mayWatchAll(mappings: Mappings, { groups, scopes, claims }: Principal): boolean {
  const { permissionGroupMapping, permissionScopeMapping, permissionClaimMapping } = mappings;
  const holds = (mapping: Readonly<Record<string, readonly string[]>>, held: ReadonlySet<string>): boolean =>
    mapping[WATCH_ALL]?.some((one) => held.has(one)) ?? false;
  return (
    holds(permissionGroupMapping, groups) ||
    holds(permissionScopeMapping, scopes) ||
    holds(permissionClaimMapping, claims)
  );
}

export function isGranted({ users, groups }: Grantees, who: Principal): boolean {
  return users.includes(who.name) || groups.some((group) => who.groups.has(group));
}
