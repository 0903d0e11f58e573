/** Who a caller is. */
export interface Principal {
  readonly name: string;
  /** The group `everyone` is always among them. */
  readonly groups: ReadonlySet<string>;
  readonly scopes: ReadonlySet<string>;
  /** The names of its token's claims; their values do not matter. */
  readonly claims: ReadonlySet<string>;
}

export const EVERYONE = 'everyone';

export function principal(
  name: string,
  groups: Iterable<string> = [],
  scopes: Iterable<string> = [],
  claims: Iterable<string> = [],
): Principal {
  return {
    name,
    groups: new Set([...groups, EVERYONE]),
    scopes: new Set(scopes),
    claims: new Set(claims),
  };
}

/** A caller without credentials, where those are optional. */
export const ANONYMOUS = principal('anonymous');
