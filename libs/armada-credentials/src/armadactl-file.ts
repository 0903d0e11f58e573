import { SettingsError, readYamlFile } from '@ajs/config';
import { spelled, type ContextSource } from './context.js';

/** armadactl's default. */
export const DEFAULT_URL = 'localhost:50051';

export interface ArmadactlFile {
  readonly context: ContextSource;
  /** The URL that overrides the context's own; '' where there is none. */
  readonly url: string;
  /** Where that is set, for people. */
  readonly urlPlace: string;
  /** Whether the file has contexts; in the deprecated form the file itself is the only one. */
  readonly hasContexts: boolean;
}

/**
 * Reads the current context of an armadactl file. As in armadactl, the variables ARMADAURL and CURRENTCONTEXT override the file, and a
 * URL outside the contexts overrides the context's own, unless it is `localhost:50051`. Throws SettingsError.
 */
export function readArmadactlFile(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): ArmadactlFile {
  const content = spelled(readYamlFile(file));
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new SettingsError([`the file ${file} must consist of "name: value" lines, as armadactl's does`]);
  }
  const top = content as Readonly<Record<string, unknown>>;
  const url = env['ARMADAURL'] || textAt(top, 'armadaUrl', file);
  const urlPlace = env['ARMADAURL'] ? 'ARMADAURL (environment)' : `armadaUrl (${file})`;
  const current = env['CURRENTCONTEXT'] || textAt(top, 'currentContext', file);
  const contexts = contextsOf(top, file);
  if (current === '') {
    if (contexts.size > 0 && url === '') {
      throw new SettingsError([
        `currentContext (${file}) is missing; set it to one of the contexts: ${[...contexts.keys()].join(', ')}`,
      ]);
    }
    return {
      context: { content: top, prefix: '', file },
      url: url || DEFAULT_URL,
      urlPlace,
      hasContexts: false,
    };
  }
  const selected = [...contexts].find(([name]) => name.toLowerCase() === current.toLowerCase());
  if (selected === undefined) {
    throw new SettingsError([
      `${env['CURRENTCONTEXT'] ? 'CURRENTCONTEXT (environment)' : `currentContext (${file})`} is "${current}", but must be one of the ` +
        `contexts of ${file}: ${[...contexts.keys()].join(', ') || 'it has none'}`,
    ]);
  }
  return {
    context: { content: selected[1], prefix: `contexts.${selected[0]}.`, file },
    url: url === DEFAULT_URL ? '' : url,
    urlPlace,
    hasContexts: true,
  };
}

function textAt(map: Readonly<Record<string, unknown>>, key: string, file: string): string {
  const value = map[key] ?? '';
  if (typeof value === 'string') return value;
  throw new SettingsError([`${key} (${file}) must be a single value`]);
}

function contextsOf(map: Readonly<Record<string, unknown>>, file: string): Map<string, unknown> {
  const contexts: unknown = map['contexts'] ?? '';
  if (contexts === '') return new Map();
  if (typeof contexts === 'object' && contexts !== null && !Array.isArray(contexts)) {
    return new Map(Object.entries(contexts));
  }
  throw new SettingsError([`contexts (${file}) must be a map from a name to a context`]);
}
