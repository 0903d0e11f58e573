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
 * How often the files are read. Their content is compared, as Kubernetes replaces the folder behind a symbolic link, which a watcher of
 * the files does not see. Milliseconds.
 */
const RELOAD_INTERVAL_MS = 10_000;
/** A client has this long for the handshake. Milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * The TLS of both ports: certificate, key, and the authorities of client certificates. While it is watched, changed files apply to new
 * connections; open ones stay. Files that cannot be used change nothing.
 */
export class ServerTls {
  private readonly listeners = new Set<(context: SecureContextOptions) => void>();
  private timer: NodeJS.Timeout | undefined;
  /** What was wrong with the files when they were read last, as it was logged. */
  private problem: string | undefined;

  private constructor(
    private readonly settings: TlsFileSettings,
    private files: TlsFiles,
    private current: SecureContextOptions,
  ) {}

  /** `undefined` where no certificate is set: the ports are plaintext then. Throws SettingsError. */
  static read(settings: TlsFileSettings): ServerTls | undefined {
    const { queryTlsCertFile, queryTlsKeyFile, queryTlsClientCaFile } = settings;
    if (queryTlsCertFile === '' && queryTlsKeyFile === '' && queryTlsClientCaFile === '') return undefined;
    if (queryTlsCertFile === '' || queryTlsKeyFile === '') {
      throw new SettingsError([
        'QUERY_TLS_CERT_FILE and QUERY_TLS_KEY_FILE must be set together, and QUERY_TLS_CLIENT_CA_FILE requires both',
      ]);
    }
    try {
      const files = readTlsFiles(settings);
      return new ServerTls(settings, files, secureContextOf(files, settings));
    } catch (error) {
      throw new SettingsError([(error as Error).message]);
    }
  }

  /** Whether clients must present a certificate. */
  get requestsCertificates(): boolean {
    return this.settings.queryTlsClientCaFile !== '';
  }

  /** The options of a server, beside {@link context}. */
  get serverOptions(): TlsOptions {
    return { requestCert: this.requestsCertificates, handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
  }

  /** The current certificate, key and authorities. */
  get context(): SecureContextOptions {
    return this.current;
  }

  /** Calls the listener with each context that replaces the one before. */
  onRenewed(listener: (context: SecureContextOptions) => void): void {
    this.listeners.add(listener);
  }

  /** Reloads the files whenever they change, until {@link stop}. */
  watch(log: Log, everyMs = RELOAD_INTERVAL_MS): void {
    log.info({ validTo: certificateValidTo(this.files) }, 'serving gRPC and HTTP with TLS');
    this.timer = setInterval(() => this.reload(log), everyMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private reload(log: Log): void {
    try {
      const files = readTlsFiles(this.settings);
      if (!areEqual(files, this.files)) this.replace(files, log);
      this.problem = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.problem) {
        log.error({ err: error }, 'could not reload the TLS files; still serving with the previous ones');
      }
      this.problem = message;
    }
  }

  private replace(files: TlsFiles, log: Log): void {
    this.current = secureContextOf(files, this.settings);
    this.files = files;
    for (const listener of this.listeners) listener(this.current);
    log.info({ validTo: certificateValidTo(files) }, 'reloaded the TLS files');
  }
}
