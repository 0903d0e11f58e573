import { readFileSync } from 'node:fs';
import type { Settings } from '@ajs/config';
import { holdsCertificate } from '@ajs/platform';
import type { Diagnostics } from './diagnostics.js';
import { systemRoots } from './system-roots.js';
import { withTls, withoutTls, type ArmadaTransport } from './transport.js';

export type TlsSettings = Pick<
  Settings,
  'armadaTlsCaFile' | 'armadaTlsCertFile' | 'armadaTlsKeyFile' | 'armadaTlsServerName'
>;

interface Target {
  readonly address: string;
  /** Whether plaintext was requested explicitly. */
  readonly forceNoTls: boolean;
  /** Whether the address defaults to plaintext. */
  readonly local: boolean;
}

/** The transport, with TLS or without. Reports what is wrong with the settings; the transport must not be used then. */
export function transportOf(
  settings: TlsSettings,
  target: Target,
  env: Readonly<Record<string, string | undefined>>,
  diagnostics: Diagnostics,
): { readonly transport: ArmadaTransport; readonly tls: boolean } {
  const tls = usesTls(settings, target, diagnostics);
  const { address } = target;
  return { tls, transport: tls ? tlsTransport(settings, address, env, diagnostics) : withoutTls(address) };
}

/** Any TLS setting turns TLS on, also for an address that defaults to plaintext. */
function usesTls(settings: TlsSettings, { forceNoTls, local }: Target, diagnostics: Diagnostics): boolean {
  const { armadaTlsCaFile, armadaTlsCertFile, armadaTlsKeyFile, armadaTlsServerName } = settings;
  const given = Object.entries({
    ARMADA_TLS_CA_FILE: armadaTlsCaFile,
    ARMADA_TLS_CERT_FILE: armadaTlsCertFile,
    ARMADA_TLS_KEY_FILE: armadaTlsKeyFile,
    ARMADA_TLS_SERVER_NAME: armadaTlsServerName,
  }).filter(([, value]) => value !== '');
  if (given.length === 0) return !forceNoTls && !local;
  if (forceNoTls) {
    diagnostics.problem(
      `${given.map(([name]) => name).join(', ')} is set, but TLS to Armada is switched off (forceNoTls); remove one or the other`,
    );
  }
  return true;
}

function tlsTransport(
  settings: TlsSettings,
  address: string,
  env: Readonly<Record<string, string | undefined>>,
  diagnostics: Diagnostics,
): ArmadaTransport {
  const { armadaTlsCaFile: caFile, armadaTlsCertFile: certFile, armadaTlsKeyFile: keyFile } = settings;
  if ((certFile === '') !== (keyFile === '')) {
    diagnostics.problem(
      'ARMADA_TLS_CERT_FILE and ARMADA_TLS_KEY_FILE must be set together; set both or neither',
    );
  }
  const givenCa = readPem('ARMADA_TLS_CA_FILE', caFile, diagnostics);
  if (givenCa !== undefined && !holdsCertificate(givenCa)) {
    diagnostics.problem(`ARMADA_TLS_CA_FILE is "${caFile}", which holds no certificate (PEM)`);
  }
  const certificate = readPem('ARMADA_TLS_CERT_FILE', certFile, diagnostics);
  const key = readPem('ARMADA_TLS_KEY_FILE', keyFile, diagnostics);
  try {
    return withTls(address, {
      ca: caFile === '' ? systemRoots(env) : givenCa,
      client: certificate && key && { certificate, key },
      serverName: settings.armadaTlsServerName,
    });
  } catch (error) {
    diagnostics.problem(
      `ARMADA_TLS_CERT_FILE "${certFile}" and ARMADA_TLS_KEY_FILE "${keyFile}" cannot be used together: ${(error as Error).message}`,
    );
    return withoutTls(address);
  }
}

/** `undefined` where no file is named, or where it cannot be read. */
function readPem(name: string, file: string, diagnostics: Diagnostics): Buffer | undefined {
  if (file === '') return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    diagnostics.problem(`${name} is "${file}", which cannot be read: ${(error as Error).message}`);
    return undefined;
  }
}
