import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { SETTINGS, fileKeyOf, settingsList, type Settings } from './settings.js';

/** What is wrong with the settings: every problem at once, each naming the setting, its value and what is allowed. */
export class SettingsError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(['The settings are not right:', ...problems.map((problem) => `  - ${problem}`)].join('\n'));
    this.name = 'SettingsError';
  }
}

export interface SettingsSource {
  /** Arguments after the script's name. `--config FILE` names the file. */
  readonly argv: readonly string[];
  /** CONFIG_FILE names the file where no argument does; every other variable wins over the file. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Reads and checks the settings. Throws {@link SettingsError}. */
export function loadSettings({ argv, env }: SettingsSource): Settings {
  const file = configFileOf(argv) ?? (env['CONFIG_FILE'] || undefined);
  const problems: string[] = [];
  const fromFile = file === undefined ? new Map<string, string>() : readConfigFile(file, problems);
  const given = settingsList().map((setting) => {
    const fromEnv = env[setting.env] || undefined;
    const fileKey = fileKeyOf(setting);
    if (fromEnv !== undefined) return { text: fromEnv, name: `${setting.env} (environment)` };
    const text = fromFile.get(fileKey);
    if (text !== undefined) return { text, name: `${fileKey} (${file})` };
    return { text: setting.default, name: setting.env };
  });
  const names = Object.keys(SETTINGS);
  const schema = z.object(
    Object.fromEntries(Object.entries(SETTINGS).map(([name, { schema }]) => [name, schema])),
  );
  const result = schema.safeParse(Object.fromEntries(names.map((name, i) => [name, given[i]?.text])));
  if (!result.success) {
    for (const { path, message } of result.error.issues) {
      const index = names.indexOf(String(path[0]));
      const { name, text } = given[index] ?? { name: String(path[0]), text: '' };
      const show = settingsList()[index]?.show ?? ((shown: string) => shown);
      problems.push(`${name} is "${show(text)}", but must be ${message}`);
    }
    throw new SettingsError(problems);
  }
  const settings = result.data as Settings;
  problems.push(...contradictions(settings));
  if (problems.length > 0) throw new SettingsError(problems);
  return settings;
}

function configFileOf(argv: readonly string[]): string | undefined {
  try {
    return parseArgs({ args: [...argv], options: { config: { type: 'string' } } }).values.config;
  } catch (error) {
    throw new SettingsError([
      `${(error as Error).message}; the only arguments are --config FILE and --help, all else is set by the file or the environment`,
    ]);
  }
}

/** The file's settings as text, by their names in the file. */
function readConfigFile(file: string, problems: string[]): Map<string, string> {
  const texts = new Map<string, string>();
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new SettingsError([`the file ${file} cannot be read: ${(error as Error).message.split('\n')[0]}`]);
  }
  if (content === null || content === undefined) return texts;
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new SettingsError([`the file ${file} must hold "name: value" lines`]);
  }
  const known = new Set(settingsList().map(fileKeyOf));
  for (const [key, value] of Object.entries(content as Record<string, unknown>)) {
    if (!known.has(key)) {
      problems.push(`${key} (${file}) is not a setting; the settings are: ${[...known].join(', ')}`);
    } else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      texts.set(key, String(value));
    } else if (value !== null) {
      problems.push(
        `${key} (${file}) must be a single value, not ${Array.isArray(value) ? 'a list' : 'a map'}`,
      );
    }
  }
  return texts;
}

/** Settings that are right one by one, and not together. */
function contradictions(settings: Settings): string[] {
  const { followAfterPollMs, followUnfinishedAfterPollMs, deleteAfterPollMs } = settings;
  const problems: string[] = [];
  if (followUnfinishedAfterPollMs < followAfterPollMs) {
    problems.push(
      'FOLLOW_UNFINISHED_AFTER_POLL is shorter than FOLLOW_AFTER_POLL, but must be at least as long',
    );
  }
  if (deleteAfterPollMs < followUnfinishedAfterPollMs) {
    problems.push(
      'DELETE_AFTER_POLL is shorter than FOLLOW_UNFINISHED_AFTER_POLL, but must be at least as long',
    );
  }
  return problems;
}
