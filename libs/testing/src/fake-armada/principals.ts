/** Who a caller is. The group `everyone` is always among its groups. */
export interface Principal {
  readonly name: string;
  readonly groups: readonly string[];
}

interface Groups {
  readonly groups?: readonly string[];
}

/** Whom a server of Armada authenticates. A method that is left out is not configured. */
export interface PrincipalRules {
  /** User name → its password and groups. */
  readonly basicUsers?: Readonly<Record<string, { readonly password: string } & Groups>>;
  /** Token → its claims. */
  readonly bearerTokens?: Readonly<Record<string, { readonly name: string } & Groups>>;
  /** Token inside a KubernetesAuth credential → the name in its review. */
  readonly kubernetesTokens?: Readonly<Record<string, string>>;
  /** Whether a caller that no other method is for is `anonymous`. */
  readonly anonymous?: boolean;
}

/**
 * Who the caller is; `undefined` for UNAUTHENTICATED. In Armada's order: the first method for the scheme decides. `crash`: today's
 * servers crash on this.
 */
export function findPrincipal(
  { basicUsers, bearerTokens, kubernetesTokens, anonymous }: PrincipalRules,
  authorization = '',
): Principal | 'crash' | undefined {
  const space = authorization.indexOf(' ');
  const [scheme, credential] = [authorization.slice(0, space), authorization.slice(space + 1)];
  if (basicUsers !== undefined && scheme.toLowerCase() === 'basic') {
    const [name = '', ...rest] = Buffer.from(credential, 'base64').toString().split(':');
    if (rest.length === 0) return 'crash';
    const user = own(basicUsers, name);
    return user?.password === rest.join(':') ? principal(name, user.groups) : undefined;
  }
  if (kubernetesTokens !== undefined && scheme === 'KubernetesAuth') {
    const name = own(kubernetesTokens, tokenOf(credential));
    return name === undefined ? undefined : principal(name, [name]);
  }
  if (bearerTokens !== undefined && scheme.toLowerCase() === 'bearer') {
    const said = own(bearerTokens, credential);
    return said && principal(said.name, said.groups);
  }
  return anonymous === true ? principal('anonymous') : undefined;
}

function principal(name: string, groups: readonly string[] = []): Principal {
  return { name, groups: [...groups, 'everyone'] };
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function tokenOf(credential: string): string {
  try {
    const { token } = JSON.parse(Buffer.from(credential, 'base64url').toString()) as { token: unknown };
    return String(token);
  } catch {
    return '';
  }
}
