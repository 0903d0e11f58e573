import { MonotonicTime, msBetween } from '@ajs/job-state';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { AuthError } from '../authorizer.js';
import { boundedFetch, type Clock } from '@ajs/platform';

/** For discovery and keys together. Milliseconds. */
const TIMEOUT_MS = 5_000;

/**
 * The provider is asked again, whatever came of it before, no sooner than after this time: it may have new keys, or be back, and a
 * flood of tokens of unknown keys shall not reach it. Milliseconds.
 */
const KEYS_COOLDOWN_MS = 5_000;
/** After this time keys are asked for again, so that one that the provider gave up counts no more. Milliseconds. */
const KEYS_MAX_AGE_MS = 600_000;

const LONG_AGO = MonotonicTime(-Infinity);

const discovered = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/**
 * The keys that an OpenID provider signs with, found by its discovery document. Those that were found serve on while the provider
 * cannot be asked.
 */
export class ProviderKeys {
  private keys: JWTVerifyGetKey = createLocalJWKSet({ keys: [] });
  private foundAt = LONG_AGO;
  /** Why the provider could not be asked when that was last tried; `undefined` where it could. */
  private failure: AuthError | undefined;
  private triedAt = LONG_AGO;
  private trying: Promise<void> | undefined;

  constructor(
    /** As it stands in the claim `iss` of its tokens. */
    private readonly issuer: string,
    private readonly clock: Clock,
  ) {}

  /**
   * The key of a token. Rejects as jose does where the provider has none for it, and with AuthError (`unavailable`) where it may
   * have one and could not be asked.
   */
  readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    if (msBetween(this.foundAt, this.clock.monotonic()) >= KEYS_MAX_AGE_MS) await this.renew();
    try {
      return await this.find(header, token);
    } catch {
      // It may be new.
      await this.renew();
      return this.find(header, token);
    }
  };

  private async find(...[header, token]: Parameters<JWTVerifyGetKey>) {
    try {
      return await this.keys(header, token);
    } catch (error) {
      throw this.failure ?? error;
    }
  }

  /** Asks the provider, unless it was asked a moment ago. Never rejects. */
  private async renew(): Promise<void> {
    if (msBetween(this.triedAt, this.clock.monotonic()) < KEYS_COOLDOWN_MS) return;
    this.trying ??= this.tryToRenew().finally(() => (this.trying = undefined));
    await this.trying;
  }

  private async tryToRenew(): Promise<void> {
    try {
      this.keys = await keysOf(this.issuer);
      this.foundAt = this.clock.monotonic();
      this.failure = undefined;
    } catch (error) {
      this.failure = unavailable((error as Error).message);
    }
    this.triedAt = this.clock.monotonic();
  }
}

/** That the provider cannot be asked. */
export function unavailable(reason: string): AuthError {
  return new AuthError(
    'unavailable',
    `could not verify your token with the OpenID provider: ${reason}; try again`,
  );
}

async function keysOf(issuer: string): Promise<JWTVerifyGetKey> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const document = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const found = await read(
    document,
    'the configuration of an OpenID provider',
    (json) => discovered.parse(json),
    signal,
  );
  if (found.issuer !== issuer) throw new Error(`${document}: its issuer is ${found.issuer}`);
  return read(found.jwks_uri, 'a set of keys', (json) => createLocalJWKSet(json as JSONWebKeySet), signal);
}

/** What is to be read there, as `parse` has it. Rejects with what went wrong, and where. */
async function read<T>(
  url: string,
  what: string,
  parse: (json: unknown) => T,
  signal: AbortSignal,
): Promise<T> {
  const { status, body } = await boundedFetch(new URL(url), { method: 'GET', signal });
  if (status !== 200) throw new Error(`${url} answered with HTTP ${status}`);
  try {
    return parse(JSON.parse(body));
  } catch (error) {
    throw new Error(`${url} did not answer with ${what}`, { cause: error });
  }
}
