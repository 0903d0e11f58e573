/** As much of a log as takes what others print. */
export interface OutputLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  fatal(fields: object, text: string): void;
}

/**
 * Everything that this process prints beside its log, as lines of the log: what packages write to standard output and error, the
 * warnings of Node, and the error that ends the process. Only what ends Node itself is printed as Node does: running out of memory, and
 * options that it does not know.
 */
export class ProcessOutput {
  constructor(
    /** May be replaced by a better one. */
    public log: OutputLog,
  ) {}

  /** From now on nothing is printed any more but by the log. Called once. */
  capture(): void {
    redirect(process.stdout, (text) => this.log.info({ stream: 'stdout' }, text));
    redirect(process.stderr, (text) => this.log.warn({ stream: 'stderr' }, text));
    // Node's own, which prints.
    process.removeAllListeners('warning');
    process.on('warning', (warning) =>
      this.log.warn({ err: warning }, `${warning.name}: ${warning.message}`),
    );
    // Without a listener of their own, rejections that nobody handles come here, too.
    process.on('uncaughtException', (error) => {
      this.log.fatal({ err: error }, `uncaught error; this is a defect of this service: ${error.message}`);
      process.exit(1);
    });
  }
}

function redirect(stream: NodeJS.WriteStream, line: (text: string) => void): void {
  const write = (
    chunk: Uint8Array | string,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    written?: (error?: Error | null) => void,
  ): boolean => {
    const text = (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()).trim();
    if (text !== '') line(text);
    const done = typeof encoding === 'function' ? encoding : written;
    if (done !== undefined) process.nextTick(done);
    return true;
  };
  stream.write = write;
}
