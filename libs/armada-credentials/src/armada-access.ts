import { SettingsError, parseHostPort, withoutLogin, type Settings } from '@ajs/config';
import { isLoopback } from '@ajs/platform';
import { DEFAULT_URL, readArmadactlFile } from './armadactl-file.js';
import {
  CONTEXT_KEYS,
  KIND_KEYS,
  keysBeyond,
  readContext,
  type Context,
  type ContextSource,
} from './context.js';
import { CREDENTIAL_KINDS, type Environment } from './credential-kinds.js';
import { Diagnostics, placeOf } from './diagnostics.js';
import { anonymous, type ArmadaIdentity } from './identity.js';
import { transportOf } from './tls-settings.js';
import type { ArmadaTransport } from './transport.js';

export interface ArmadaAccess {
  readonly transport: ArmadaTransport;
  readonly identity: ArmadaIdentity;
  /** For the log at the start: the address, whether TLS is used, the key that sets our identity, and the proxy on the way. */
  readonly summary: {
    readonly armada: string;
    readonly armadaTls: boolean;
    readonly armadaAuth: string;
    readonly armadaProxy?: string;
  };
  /** What is allowed, but may be a mistake. */
  readonly warnings: readonly string[];
}

export type ArmadaSettings = Pick<
  Settings,
  | 'armadaAddress'
  | 'armadactlConfig'
  | 'armadaForceNoTls'
  | 'armadaTlsCaFile'
  | 'armadaTlsCertFile'
  | 'armadaTlsKeyFile'
  | 'armadaTlsServerName'
  | 'armadaAuth'
>;

/** Armada's address and our identity, as one of the sources has them. */
interface Target {
  readonly address: string;
  readonly source: ContextSource;
  readonly context: Context | undefined;
  /** Whether plaintext was requested explicitly. */
  readonly forceNoTls: boolean;
  /** Whether the address defaults to plaintext. */
  readonly local: boolean;
}

/**
 * How to reach Armada, and as whom: from the armadactl file that ARMADACTL_CONFIG names, else from our own settings. Reads the files
 * that the settings name and makes no call. Throws SettingsError with every problem.
 */
export function armadaAccess(settings: ArmadaSettings, environment: Environment): ArmadaAccess {
  const diagnostics = new Diagnostics();
  const target =
    settings.armadactlConfig === ''
      ? targetOfSettings(settings, diagnostics)
      : targetOfArmadactl(settings, environment.env, diagnostics);
  const { transport, tls } = transportOf(settings, target, environment.env, diagnostics);
  const { identity = anonymous, kind } = identityOf(target, environment, diagnostics);
  if (kind !== undefined && !tls) {
    diagnostics.warning(
      `the credential of ${placeOf(target.source, kind)} is sent to Armada without TLS: anyone on the network path can read it`,
    );
  }
  if (diagnostics.problems.length > 0) throw new SettingsError(diagnostics.problems);
  return {
    transport,
    identity,
    summary: {
      armada: target.address,
      armadaTls: tls,
      armadaAuth: kind ?? 'none',
      ...(transport.proxy !== undefined && { armadaProxy: transport.proxy.description }),
    },
    warnings: diagnostics.warnings,
  };
}

function targetOfSettings(settings: ArmadaSettings, diagnostics: Diagnostics): Target {
  const { armadaAddress, armadaForceNoTls, armadaAuth } = settings;
  const source = { content: armadaAuth?.content ?? '', prefix: 'armadaAuth.', file: armadaAuth?.file ?? '' };
  for (const { key, valid } of keysBeyond(KIND_KEYS, source)) {
    diagnostics.problem(`${placeOf(source, key)} is not a valid key; valid keys: ${valid.join(', ')}`);
  }
  const context = readContext(source, diagnostics.problems);
  return {
    address: armadaAddress.text,
    source,
    context,
    forceNoTls: armadaForceNoTls,
    local: isLoopback(armadaAddress.host),
  };
}

function targetOfArmadactl(
  settings: ArmadaSettings,
  env: Environment['env'],
  diagnostics: Diagnostics,
): Target {
  const { armadactlConfig: file, armadaAddress, armadaForceNoTls, armadaAuth } = settings;
  if (armadaAuth !== undefined) {
    diagnostics.problem(
      `armadaAuth (${armadaAuth.file}) and ARMADACTL_CONFIG (${file}) both set our identity for Armada; remove one of them`,
    );
  }
  const { context: source, url, urlPlace, hasContexts } = readArmadactlFile(file, env);
  if (!hasContexts) {
    diagnostics.warning(
      `${file} has no currentContext: armadactl deprecates this form; add contexts and a currentContext`,
    );
  }
  for (const { key } of keysBeyond(CONTEXT_KEYS, source)) {
    diagnostics.warning(`${placeOf(source, key)} has no effect here and is ignored`);
  }
  const context = readContext(source, diagnostics.problems);
  const ours = armadaAddress.text === DEFAULT_URL ? '' : armadaAddress.text;
  const own = context?.armadaUrl ?? '';
  const address = ours || url || own;
  const place = url === '' ? placeOf(source, 'armadaUrl') : urlPlace;
  if (context !== undefined && address === '') {
    diagnostics.problem(`${place} is missing: a context has no default; set it to Armada's host:port`);
  } else if (context !== undefined && parseHostPort(address, 1) === undefined) {
    diagnostics.problem(`${place} is "${withoutLogin(address)}", but must be host:port, without a scheme`);
  }
  return {
    address,
    source,
    context,
    forceNoTls: armadaForceNoTls || context?.forceNoTls === true,
    // This is armadactl's own rule.
    local: address.includes('localhost'),
  };
}

function identityOf(
  { context, source }: Target,
  environment: Environment,
  diagnostics: Diagnostics,
): { readonly kind?: string; readonly identity?: ArmadaIdentity | undefined } {
  if (context === undefined) return {};
  const kind = CREDENTIAL_KINDS.find((each) => each.isConfigured(context));
  if (kind === undefined) return {};
  const identity = kind.createIdentity({ context, place: source, environment, diagnostics });
  return { kind: kind.key, identity };
}
