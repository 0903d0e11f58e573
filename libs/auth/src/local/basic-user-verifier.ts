import { readFileSync } from 'node:fs';
import { SettingsError } from '@ajs/config';
import { FairQueue } from '@ajs/platform';
import type { AuthSection } from './auth-section.js';
import { AuthError } from '../authorizer.js';
import type { CallerVerifier, VerifiedCaller } from './caller-verifier.js';
import { passwordMatches, decoyPassword, type StoredPassword } from './password.js';
import { principal, type Principal } from './principal.js';

type BasicAuth = NonNullable<AuthSection['basicAuth']>;

interface User {
  readonly principal: Principal;
  readonly password: StoredPassword;
}

/** Verifies the users and passwords of the configuration. */
export class BasicUserVerifier implements CallerVerifier<'basic'> {
  private readonly users: ReadonlyMap<string, User>;
  private readonly decoy: StoredPassword;
  /**
   * Passwords are hashed one at a time: hashing is slow on purpose, and the process has other work. Callers take turns, so that nobody
   * waits for all the wrong passwords of another.
   */
  private readonly waiting = new FairQueue<() => Promise<unknown>>();
  private hashing = false;

  /** Reads the passwords from their files and variables. Throws SettingsError. */
  constructor({ users }: BasicAuth, env: Readonly<Record<string, string | undefined>>) {
    const problems: string[] = [];
    const known = new Map<string, User>();
    for (const [name, { groups, ...source }] of Object.entries(users)) {
      const password = readPassword(source, env);
      if (typeof password === 'string') problems.push(`auth.basicAuth.users.${name}.${password}`);
      else known.set(name, { principal: principal(name, groups), password });
    }
    if (problems.length > 0) throw new SettingsError(problems);
    this.users = known;
    this.decoy = decoyPassword(Array.from(known.values(), ({ password }) => password));
  }

  isCheap({ user }: { user: string }): boolean {
    return 'plain' in this.passwordOf(user);
  }

  async verify(
    { user: name, password }: { user: string; password: string },
    who: string,
  ): Promise<VerifiedCaller> {
    const user = this.users.get(name);
    if (!(await this.matches(this.passwordOf(name), password, who)) || user === undefined) {
      throw new AuthError('unauthenticated', 'invalid username or password (authorization: Basic)');
    }
    return { principal: user.principal, expiresAt: Infinity };
  }

  private passwordOf(user: string): StoredPassword {
    return this.users.get(user)?.password ?? this.decoy;
  }

  private matches(stored: StoredPassword, given: string, who: string): Promise<boolean> {
    if ('plain' in stored) return passwordMatches(stored, given);
    return new Promise((resolve, reject) => {
      this.waiting.add(who, () => passwordMatches(stored, given).then(resolve, reject));
      if (!this.hashing) void this.hashWaiting();
    });
  }

  private async hashWaiting(): Promise<void> {
    this.hashing = true;
    for (let hash = this.waiting.next(); hash !== undefined; hash = this.waiting.next()) await hash();
    this.hashing = false;
  }
}

/** Returns the password, or a text that says what is wrong. */
function readPassword(
  { passwordHash, passwordFile, passwordEnv }: Omit<BasicAuth['users'][string], 'groups'>,
  env: Readonly<Record<string, string | undefined>>,
): StoredPassword | string {
  if (passwordHash !== undefined) return { hash: passwordHash };
  if (passwordEnv !== undefined) {
    const plain = env[passwordEnv];
    return plain ? { plain } : `passwordEnv names the variable ${passwordEnv}, which is not set`;
  }
  try {
    // Editors end a file with a line feed that is not part of the password.
    const plain = readFileSync(passwordFile ?? '', 'utf8').replace(/\r?\n$/, '');
    return plain !== '' ? { plain } : `passwordFile names ${passwordFile}, which is empty`;
  } catch (error) {
    return `passwordFile cannot be read: ${(error as Error).message}`;
  }
}
