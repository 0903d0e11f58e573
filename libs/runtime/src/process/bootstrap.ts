import { writeSync } from 'node:fs';
import { SettingsError, loadSettings, settingsHelp, type Settings } from '@ajs/config';
import { createLog, throttledLog, type Log, type Metrics, type ThrottledLog } from '@ajs/observability';
import { checkConfig, checkTable } from '../check/check-config.js';
import { guardGrpc } from './guard-grpc.js';
import type { ProcessContext } from './process.module.js';
import type { OutputLog, ProcessOutput } from './process-output.js';
import { runApp, type AppOptions } from './run-app.js';

export interface BootstrapOptions {
  readonly app: string;
  /** What the process prints beside its log goes there once there is one. */
  readonly output: ProcessOutput;
  readonly makeMetrics: () => Metrics;
  /** Throws SettingsError for what is wrong with settings that only this application reads. */
  readonly checkSettings?: (settings: Settings) => void;
  readonly optionsOf: (context: ProcessContext) => AppOptions;
}

const CHECK_CONFIG = '--check-config';

/**
 * The life of an application's process: reads the settings, makes the application and runs it. Invalid settings are logged, one line
 * each, and end the process with 2; any other failure to start is logged and ends it with 1. With --check-config it only tries whether
 * it could work, prints what it found, and ends with 0 or 1.
 */
export async function bootstrap({
  app,
  output,
  makeMetrics,
  checkSettings,
  optionsOf,
}: BootstrapOptions): Promise<void> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help')) {
    writeSync(1, `${settingsHelp(app)}\n`);
    return;
  }
  let log = createLog(app, 'info');
  try {
    const settings = loadSettings({ argv: argv.filter((word) => word !== CHECK_CONFIG), env: process.env });
    checkSettings?.(settings);
    if (argv.includes(CHECK_CONFIG)) {
      const checks = await checkConfig(app, settings);
      writeSync(1, checkTable(checks));
      process.exit(checks.some(({ outcome }) => outcome === 'failed') ? 1 : 0);
    }
    log = createLog(app, settings.logLevel);
    const throttled = throttledLog(log);
    output.log = outputLog(log, throttled);
    guardGrpc({ error: (text) => throttled('error', {}, text), debug: (text) => log.debug(text) });
    const context = { settings, log, metrics: makeMetrics() };
    await runApp(context, optionsOf(context));
  } catch (error) {
    if (error instanceof SettingsError) {
      for (const problem of error.problems) log.fatal(`invalid settings: ${problem}`);
      process.exit(2);
    }
    log.fatal({ err: error }, 'could not start');
    process.exit(1);
  }
}

/** What is printed again and again is counted. */
function outputLog(log: Log, throttled: ThrottledLog): OutputLog {
  return {
    info: (fields, text) => throttled('info', fields, text),
    warn: (fields, text) => throttled('warn', fields, text),
    fatal: (fields, text) => log.fatal(fields, text),
  };
}
