import { guardGrpc } from '@ajs/auth';
import { SettingsError, loadSettings, settingsHelp, type Settings } from '@ajs/config';
import { createLog, type Log, Metrics } from '@ajs/observability';
import { runApp, type AppOptions } from './run-app.js';

export interface ProcessContext {
  readonly settings: Settings;
  readonly log: Log;
  readonly metrics: Metrics;
}

/**
 * The whole life of an application's process: reads the settings, builds the application and runs it. Settings that are not
 * right are told on standard error and end the process with 2; what else fails at the start is logged and ends it with 1.
 */
export async function bootstrap(
  app: string,
  build: (context: ProcessContext) => Pick<AppOptions, 'service' | 'http'>,
): Promise<void> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help')) {
    process.stdout.write(`${settingsHelp(app)}\n`);
    return;
  }
  let log = createLog(app, 'info');
  try {
    const settings = loadSettings({ argv, env: process.env });
    log = createLog(app, settings.logLevel);
    guardGrpc(log);
    const metrics = new Metrics();
    await runApp({ ...build({ settings, log, metrics }), log, metrics });
  } catch (error) {
    if (error instanceof SettingsError) {
      process.stderr.write(`${error.message}\n`);
      process.exit(2);
    }
    log.fatal({ err: error }, 'could not start');
    process.exit(1);
  }
}
