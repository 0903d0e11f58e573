import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError, loadSettings } from '@ajs/config';
import { CertificateAuthority } from '@ajs/testing';
import { armadaAccess, type ArmadaAccess } from '../armada-access.js';

export type Env = Readonly<Record<string, string>>;

const observer = { renewed: () => undefined, failed: () => undefined };

/** Files from which specs read {@link armadaAccess}, in a folder of their own. */
export class AccessFiles {
  private readonly folder = mkdtempSync(join(tmpdir(), 'access-'));
  /** An armadactl file. */
  readonly armadactl = join(this.folder, 'armadactl.yaml');
  /** A settings file of ours. */
  readonly ours = join(this.folder, 'settings.yaml');

  private constructor(readonly authority: CertificateAuthority) {}

  static async create(): Promise<AccessFiles> {
    return new AccessFiles(await CertificateAuthority.create());
  }

  readonly accessOf = (given: Env): ArmadaAccess => {
    // The system's roots are many and take their time.
    const env = { SSL_CERT_FILE: this.authority.certFile, ...given };
    return armadaAccess(loadSettings({ argv: [], env }), { env, observer });
  };

  /** Writes the armadactl file, and reads it. */
  readonly fromArmadactl = (text: string, env: Env = {}): ArmadaAccess => {
    writeFileSync(this.armadactl, text);
    return this.accessOf({ ARMADACTL_CONFIG: this.armadactl, ...env });
  };

  /** Writes our settings file, and reads it. */
  readonly fromOurs = (text: string, env: Env = {}): ArmadaAccess => {
    writeFileSync(this.ours, text);
    return this.accessOf({ CONFIG_FILE: this.ours, ...env });
  };

  remove(): void {
    this.authority.remove();
    rmSync(this.folder, { recursive: true });
  }
}

/** The message of the SettingsError; it must not show the word `hidden`. */
export function problemsOf(read: () => ArmadaAccess): string {
  try {
    read();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    if (error.message.includes('hidden')) throw new Error(`the message shows a secret: ${error.message}`);
    return error.message;
  }
  throw new Error('no problem was found');
}

/** An armadactl file with a current context `main` of these lines. */
export const main = (...lines: string[]): string =>
  ['currentContext: main', 'contexts:', '  main:', ...lines.map((line) => `    ${line}`)].join('\n');

export const URL_LINE = 'armadaUrl: armada.example.com:443';
export const BASIC = 'basicAuth: { username: us, password: "0123" }';
