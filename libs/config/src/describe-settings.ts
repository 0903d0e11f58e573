import { fileKeyOf, settingsList } from './settings.js';

/** The settings as a Markdown table, for the README. */
export function settingsTable(): string {
  const rows = settingsList().map(
    (setting) =>
      `| \`${setting.env}\` | \`${fileKeyOf(setting)}\` | ${setting.default && `\`${setting.default}\``} | ${setting.about} |`,
  );
  return ['| variable | in the file | default | what it is |', '|---|---|---|---|', ...rows].join('\n');
}

/** What `--help` prints. */
export function settingsHelp(app: string): string {
  const lines = settingsList().flatMap(({ env, default: defaultText, about, allowed }) => [
    `  ${env}${defaultText && ` (default ${defaultText})`}`,
    `      ${about}; ${allowed}`,
  ]);
  return [
    `${app} [--config FILE]`,
    '',
    'Settings come from the YAML file FILE (or CONFIG_FILE), with names in camelCase, and from the environment, which wins:',
    ...lines,
  ].join('\n');
}
