import { readFileSync } from 'node:fs';
import { YAMLParseError, parse } from 'yaml';
import { SettingsError } from './settings-error.js';

/**
 * The content of a YAML file. Every scalar is the text as written, so that a password of digits stays one; a missing value is ''.
 * Throws {@link SettingsError}, which names the position of the mistake but quotes nothing: the file may contain secrets.
 */
export function readYamlFile(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError([`the file ${file} cannot be read: ${(error as Error).message}`]);
  }
  try {
    return parse(text, { schema: 'failsafe', merge: true }) as unknown;
  } catch (error) {
    const at = error instanceof YAMLParseError ? error.linePos?.[0] : undefined;
    const where = at === undefined ? '' : ` at line ${at.line}, column ${at.col}`;
    const code = error instanceof YAMLParseError ? ` (${error.code})` : '';
    throw new SettingsError([`the file ${file} cannot be read: it is not valid YAML${where}${code}`]);
  }
}
