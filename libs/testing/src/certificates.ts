import { writeFileSync } from 'node:fs';
import { generate } from 'selfsigned';
import { TemporaryFolder } from './temporary-folder.js';

/** A certificate and its key: as PEM, and as files. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority for one test. Its files, and those of what it signs, are in a folder of their own; `remove` deletes it. */
export class CertificateAuthority implements Certified {
  private constructor(
    private readonly folder: TemporaryFolder,
    readonly cert: string,
    readonly key: string,
    readonly certFile: string,
    readonly keyFile: string,
  ) {}

  static async create(name = 'a test authority'): Promise<CertificateAuthority> {
    const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      ],
    });
    const folder = new TemporaryFolder('certificates');
    const files = written(folder, 'ca', cert, key);
    return new CertificateAuthority(folder, cert, key, files.certFile, files.keyFile);
  }

  /** Signs a certificate for a server with these DNS names and IPv4 addresses, or for a client with this name. */
  async sign(names: readonly string[]): Promise<Certified> {
    const [name = ''] = names;
    const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
      keyType: 'ec',
      algorithm: 'sha256',
      ca: { key: this.key, cert: this.cert },
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
        {
          name: 'subjectAltName',
          altNames: names.map((each) =>
            /^[\d.]+$/.test(each) ? { type: 7 as const, ip: each } : { type: 2 as const, value: each },
          ),
        },
      ],
    });
    return { cert, key, ...written(this.folder, name, cert, key) };
  }

  remove(): void {
    this.folder.remove();
  }
}

function written(
  folder: TemporaryFolder,
  name: string,
  cert: string,
  key: string,
): Pick<Certified, 'certFile' | 'keyFile'> {
  const certFile = folder.file(`${name}.crt`);
  const keyFile = folder.file(`${name}.key`);
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key, { mode: 0o600 });
  return { certFile, keyFile };
}
