import { earlyLog } from './early-log.js';
import { fileLimitProblem } from './file-limit.js';
import { ProcessOutput } from './process-output.js';

/** The module of an application, with all that it imports. */
export interface LaunchedModule {
  start(output: ProcessOutput): Promise<void>;
}

/**
 * Loads an application and starts it. Until it is loaded nothing but Node's own modules is needed: so a file that is missing, or a
 * process that may not open enough files to load them, is reported in the log's form as well. Ends the process with 1 then.
 */
export async function launch(app: string, load: () => Promise<LaunchedModule>): Promise<void> {
  const log = earlyLog(app);
  const output = new ProcessOutput(log);
  output.capture();
  const problem = fileLimitProblem();
  if (problem !== undefined) {
    log.fatal({}, problem);
    process.exit(1);
  }
  const loaded = await load().catch((error: unknown) => {
    log.fatal(
      { err: error },
      `cannot load the application: ${(error as Error).message}; its files are incomplete: install it again`,
    );
    process.exit(1);
  });
  await loaded.start(output);
}
