import { parseArgs } from 'node:util';

export interface StartArguments {
  /** host:port of a running Armada, with the job set to show; without it a fake one is started. */
  readonly armada?: { readonly address: string; readonly queue: string; readonly jobSetId: string };
  /** A running Redis; without it a private one is started. */
  readonly redisUrl?: string;
}

const HELP = `npm start -- [--redis URL] [--armada HOST:PORT --queue QUEUE --job-set JOB_SET]

Starts one ingester and one query, and shows how jobs move. Without --armada it starts a fake Armada with living job sets;
without --redis a private Redis server.
`;

/** Reads the arguments; prints and ends the process for --help and for what makes no sense. */
export function readArguments(argv: string[]): StartArguments {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        redis: { type: 'string' },
        armada: { type: 'string' },
        queue: { type: 'string' },
        'job-set': { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help === true) {
      console.log(HELP);
      process.exit(0);
    }
    const { armada: address, queue, 'job-set': jobSetId, redis } = values;
    const given = [address, queue, jobSetId].filter((value) => value !== undefined && value !== '');
    if (given.length !== 0 && given.length !== 3) {
      throw new Error('--armada, --queue and --job-set go together: all three or none');
    }
    return {
      ...(address !== undefined && queue && jobSetId && { armada: { address, queue, jobSetId } }),
      ...(redis !== undefined && { redisUrl: redis }),
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}
