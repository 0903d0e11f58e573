import { SettingsError, loadSettings, settingsHelp } from '@ajs/config';
import { createLog, type Metrics } from '@ajs/observability';
import { guardGrpc } from './guard-grpc.js';
import type { ProcessContext } from './process.module.js';
import { runApp, type AppOptions } from './run-app.js';

/**
 * The whole life of an application's process: reads the settings, makes the application and runs it. Invalid settings are reported
 * on standard error and end the process with 2; any other failure to start is logged and ends it with 1.
 */
export async function bootstrap(
  app: string,
  makeMetrics: () => Metrics,
  optionsOf: (context: ProcessContext) => AppOptions,
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
    const context = { settings, log, metrics: makeMetrics() };
    await runApp(context, optionsOf(context));
  } catch (error) {
    if (error instanceof SettingsError) {
      process.stderr.write(`${error.message}\n`);
      process.exit(2);
    }
    log.fatal({ err: error }, 'could not start');
    process.exit(1);
  }
}
