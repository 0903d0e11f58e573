import { parseArgs } from 'node:util';

export interface StartArguments {
  /** A running Armada and the job set to show; without it a fake Armada is started. */
  readonly armada?: { readonly address: string; readonly queue: string; readonly jobSetId: string };
  /** A running Redis; without it a private Redis is started. */
  readonly redisUrl?: string;
}

const HELP = `npm start -- [--redis URL] [--armada HOST:PORT --queue QUEUE --job-set JOB_SET]

Starts one ingester and one query, and shows the states of jobs as they change.
Without --armada it starts a fake Armada that runs demo jobs; without --redis it starts a private Redis server.
`;

/** Reads the arguments. Prints the usage and ends the process for --help and for invalid arguments. */
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
      throw new Error('--armada, --queue and --job-set must be given together');
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
