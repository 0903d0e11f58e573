export { ArgumentError, parseOptions, runCommand } from './command.js';
export { settingsHelp } from './describe-settings.js';
export { loadSettings, type SettingsSource } from './load-settings.js';
export { parseDuration, parseHostPort, withoutLogin, type ListenAddress } from './parsers.js';
export { SettingsError } from './settings-error.js';
export type { Section, Settings } from './settings.js';
export { readYamlFile, withoutValue } from './yaml-file.js';
