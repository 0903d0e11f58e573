export { settingsHelp, settingsTable } from './describe-settings.js';
export { SettingsError, loadSettings, type SettingsSource } from './load-settings.js';
export { withoutLogin, type ListenAddress } from './parsers.js';
export type { Settings } from './settings.js';
