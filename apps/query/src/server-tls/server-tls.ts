import type { SecureContextOptions, TlsOptions } from 'node:tls';
import { SettingsError } from '@ajs/config';
import type { Log } from '@ajs/observability';
import {
  areEqual,
  certificateValidTo,
  readTlsFiles,
  secureContextOf,
  type TlsFileSettings,
  type TlsFiles,
} from './tls-files.js';

/**
 * How often the files are looked at. By their content: Kubernetes puts a new folder behind a symbolic link, of which a watcher of
 * the files hears nothing. Milliseconds.
 */
const LOOK_EVERY_MS = 10_000;
/** Who connects has this long for the handshake. Milliseconds. */
const HANDSHAKE_MS = 10_000;

/**
 * The TLS of our ports: certificate, key, and whose client certificates are taken. While it is watched, new content of the files
 * counts for connections that come from then on; those that are open stay. Content that cannot be used changes nothing.
 */
export class ServerTls {
  private readonly listeners = new Set<(context: SecureContextOptions) => void>();
  private timer: NodeJS.Timeout | undefined;
  /** What was wrong with the files when they were last looked at, as it was told. */
  private problem: string | undefined;

  private constructor(
    private readonly settings: TlsFileSettings,
    private files: TlsFiles,
    private current: SecureContextOptions,
  ) {}

  /** `undefined` where no certificate is set: our ports then speak plaintext. Throws SettingsError. */
  static read(settings: TlsFileSettings): ServerTls | undefined {
    const { queryTlsCertFile, queryTlsKeyFile, queryTlsClientCaFile } = settings;
    if (queryTlsCertFile === '' && queryTlsKeyFile === '' && queryTlsClientCaFile === '') return undefined;
    if (queryTlsCertFile === '' || queryTlsKeyFile === '') {
      throw new SettingsError([
        'QUERY_TLS_CERT_FILE and QUERY_TLS_KEY_FILE belong together, and QUERY_TLS_CLIENT_CA_FILE needs both: set them, or none of the three',
      ]);
    }
    try {
      const files = readTlsFiles(settings);
      return new ServerTls(settings, files, secureContextOf(files, settings));
    } catch (error) {
      throw new SettingsError([(error as Error).message]);
    }
  }

  /** Whether clients have to show a certificate. */
  get requestsCertificates(): boolean {
    return this.settings.queryTlsClientCaFile !== '';
  }

  /** What a server is made with, beside {@link context}. */
  get serverOptions(): TlsOptions {
    return { requestCert: this.requestsCertificates, handshakeTimeout: HANDSHAKE_MS };
  }

  /** What counts now. */
  get context(): SecureContextOptions {
    return this.current;
  }

  /** Tells of each context that takes the place of the one before. */
  onRenewed(listener: (context: SecureContextOptions) => void): void {
    this.listeners.add(listener);
  }

  watch(log: Log, everyMs = LOOK_EVERY_MS): void {
    log.info({ validTo: certificateValidTo(this.files) }, 'gRPC and HTTP are served with TLS');
    this.timer = setInterval(() => this.look(log), everyMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(log: Log): void {
    try {
      const files = readTlsFiles(this.settings);
      if (!areEqual(files, this.files)) this.take(files, log);
      this.problem = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.problem) {
        log.error(
          { err: error },
          'the files for TLS cannot be used as they are now; what was read before still serves',
        );
      }
      this.problem = message;
    }
  }

  private take(files: TlsFiles, log: Log): void {
    this.current = secureContextOf(files, this.settings);
    this.files = files;
    for (const listener of this.listeners) listener(this.current);
    log.info({ validTo: certificateValidTo(files) }, 'the files for TLS have changed, and serve from now on');
  }
}
