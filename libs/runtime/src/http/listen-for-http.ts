import type { NestExpressApplication } from '@nestjs/platform-express';

/** Where a process listens for HTTP. */
export interface HttpAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The setting that holds host and port. */
  readonly setting: string;
}

/** Opens the port of an application. Resolves to its host and port; rejects with the name of the setting where they cannot be had. */
export async function listenForHttp(
  app: NestExpressApplication,
  { host, port, setting }: HttpAddress,
): Promise<string> {
  try {
    await app.listen(port, host);
  } catch (error) {
    throw new Error(`cannot listen for HTTP at ${host}:${port} (${setting}): ${(error as Error).message}`, {
      cause: error,
    });
  }
  return new URL(await app.getUrl()).host;
}
