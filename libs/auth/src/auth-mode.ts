import { SettingsError, type Settings } from '@ajs/config';

/**
 * Who may read. Only `anonymous` is there so far, and it must be chosen in words: refuses every other mode, the default
 * included, rather than let everyone read by accident. Throws SettingsError.
 */
export function requireAuthMode({ authMode }: Pick<Settings, 'authMode'>): 'anonymous' {
  if (authMode === 'anonymous') return authMode;
  throw new SettingsError([
    `AUTH_MODE is "${authMode}", which this version cannot do yet: callers are not checked against Armada's queue ` +
      'permissions. Set AUTH_MODE=anonymous if everyone who reaches this service may read the state of every job; ' +
      'otherwise do not run it yet',
  ]);
}
