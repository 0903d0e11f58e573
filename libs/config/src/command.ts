import { parseArgs, type ParseArgsConfig } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;

/** Wrong arguments of a command; the message says which, and what would be right. */
export class ArgumentError extends Error {}

/** The values of a command's options, as Node's `parseArgs` gives them. Throws {@link ArgumentError}. */
export function parseOptions<T extends Options>(
  argv: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>['values'] {
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new ArgumentError((error as Error).message);
  }
}

/** Runs a command, which gives its exit code. Where its arguments are wrong, that is printed with the help, and the exit code is 2. */
export async function runCommand(help: string, run: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await run();
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    process.stderr.write(`${error.message}\n\n${help}\n`);
    process.exitCode = 2;
  }
}
