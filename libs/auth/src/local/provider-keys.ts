import { MonotonicTime, msBetween } from '@ajs/job-state';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { AuthError } from '../authorizer.js';
import { boundedFetch, type Clock } from '@ajs/platform';
import { isAsSecure } from './secure-url.js';

/** For discovery and keys together. Milliseconds. */
const TIME_OUT_MS = 5_000;

/**
 * The shortest time between two requests to the provider, whether the first one succeeded or not: it may have new keys, or be back,
 * but a flood of tokens with unknown keys must not reach it. Milliseconds.
 */
const KEYS_COOLDOWN_MS = 5_000;
/** Keys are fetched again after this time, so that one that the provider withdrew stops counting. Milliseconds. */
const KEYS_MAX_AGE_MS = 600_000;

const LONG_AGO = MonotonicTime(-Infinity);

const discovered = z.object({ issuer: z.string(), jwks_uri: z.url().transform((text) => new URL(text)) });
/** Of a text in the document that an error shows. Characters. */
const MAX_SHOWN_LENGTH = 200;

/**
 * The signing keys of an OpenID provider, found by its discovery document. Keys that were fetched stay in use while the provider is
 * unavailable.
 */
export class ProviderKeys {
  private keys: JWTVerifyGetKey = createLocalJWKSet({ keys: [] });
  private fetchedAt = LONG_AGO;
  /** Why the last request to the provider failed; `undefined` where it succeeded. */
  private failure: AuthError | undefined;
  private attemptedAt = LONG_AGO;
  private renewal: Promise<void> | undefined;

  constructor(
    /** Exactly as in the claim `iss` of its tokens. */
    private readonly issuer: string,
    private readonly clock: Clock,
  ) {}

  /**
   * The key of a token. Rejects as jose does where the provider has none for it, and with AuthError (`unavailable`) where it may have
   * one but is unavailable.
   */
  readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    if (msBetween(this.fetchedAt, this.clock.monotonic()) >= KEYS_MAX_AGE_MS) {
      const renewal = this.renew();
      // Nobody waits for a provider that failed the last time, and may hang now: the keys at hand stay in use.
      if (this.failure === undefined) await renewal;
    }
    try {
      return await this.lookUp(header, token);
    } catch {
      // The key may be new.
      await this.renew();
      return this.lookUp(header, token);
    }
  };

  private async lookUp(...[header, token]: Parameters<JWTVerifyGetKey>) {
    try {
      return await this.keys(header, token);
    } catch (error) {
      throw this.failure ?? error;
    }
  }

  /** Fetches the keys, unless they were just requested. Never rejects. */
  private async renew(): Promise<void> {
    if (msBetween(this.attemptedAt, this.clock.monotonic()) < KEYS_COOLDOWN_MS) return;
    this.renewal ??= this.fetchKeys().finally(() => (this.renewal = undefined));
    await this.renewal;
  }

  private async fetchKeys(): Promise<void> {
    try {
      this.keys = await keysOf(this.issuer);
      this.fetchedAt = this.clock.monotonic();
      this.failure = undefined;
    } catch (error) {
      this.failure = unavailable((error as Error).message);
    }
    this.attemptedAt = this.clock.monotonic();
  }
}

/** The token could not be verified because the provider is unavailable. */
export function unavailable(reason: string): AuthError {
  return new AuthError(
    'unavailable',
    `could not verify your token with the OpenID provider: ${reason}; try again`,
  );
}

async function keysOf(issuer: string): Promise<JWTVerifyGetKey> {
  const signal = AbortSignal.timeout(TIME_OUT_MS);
  const document = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const found = await read(
    document,
    'the configuration of an OpenID provider',
    (json) => discovered.parse(json),
    signal,
  );
  if (found.issuer !== issuer) {
    throw new Error(`${document.href}: its issuer is ${found.issuer.slice(0, MAX_SHOWN_LENGTH)}`);
  }
  if (!isAsSecure(found.jwks_uri, new URL(issuer))) {
    throw new Error(`${document.href}: its jwks_uri must be https:, without user`);
  }
  return read(found.jwks_uri, 'a set of keys', (json) => createLocalJWKSet(json as JSONWebKeySet), signal);
}

/** Fetches a document and parses it. Rejects with what went wrong, and where. */
async function read<T>(url: URL, what: string, parse: (json: unknown) => T, signal: AbortSignal): Promise<T> {
  const { status, body } = await boundedFetch(url, { method: 'GET', signal });
  const where = `${url.origin}${url.pathname}`;
  if (status !== 200) throw new Error(`${where} answered with HTTP ${status}`);
  try {
    return parse(JSON.parse(body));
  } catch (error) {
    throw new Error(`${where} did not answer with ${what}`, { cause: error });
  }
}
