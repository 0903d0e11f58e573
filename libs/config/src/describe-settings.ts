import { fileKeyOf } from './setting.js';
import { settingsList } from './settings.js';

/** The settings as a Markdown table, for docs/settings.md. */
export function settingsTable(): string {
  const rows = settingsList().map(
    (setting) =>
      `| \`${setting.env}\` | \`${fileKeyOf(setting)}\` | ${setting.usedBy} | ${setting.default && `\`${setting.default}\``} | ${setting.about} |`,
  );
  return [
    '| variable | key in the file | used by | default | description |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** What `--help` of a process prints: the settings that it uses. */
export function settingsHelp(app: string): string {
  const used = settingsList().filter(({ usedBy }) => usedBy === 'both' || usedBy === app);
  const lines = used.flatMap(({ env, default: defaultText, about, allowed }) => [
    `  ${env}${defaultText && ` (default ${defaultText})`}`,
    `      ${about}. Value: ${allowed}`,
  ]);
  return [
    `${app} [--config FILE] [--check-config]`,
    '',
    '--check-config connects to Redis and Armada, tries the rights there, prints what works, and ends with 0 or 1.',
    '',
    'Settings are read from the YAML file FILE (or CONFIG_FILE), with keys in camelCase, and from the environment, which overrides the file:',
    ...lines,
  ].join('\n');
}
