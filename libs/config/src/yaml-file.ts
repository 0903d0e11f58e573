import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
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
  // Without warnings on standard error, which quote what they are about. Those of the document are mistakes: an unknown tag, say.
  const document = parseDocument(text, { schema: 'failsafe', merge: true, logLevel: 'error' });
  const [mistake] = [...document.errors, ...document.warnings];
  if (mistake !== undefined) {
    const { code, linePos } = mistake;
    const where = linePos === undefined ? '' : ` at line ${linePos[0].line}, column ${linePos[0].col}`;
    throw notYaml(file, `${where} (${code})`);
  }
  try {
    return document.toJS() as unknown;
  } catch {
    // An alias names no anchor, or so many are in one another that they would not fit into memory.
    throw notYaml(file, '');
  }
}

function notYaml(file: string, where: string): SettingsError {
  return new SettingsError([`the file ${file} cannot be read: it is not valid YAML${where}`]);
}

/**
 * A key of such a file, safe for errors and logs: where the blank after the colon is missing (`{ password:secret }`), the key holds the
 * value as well.
 */
export function withoutValue(key: string): string {
  return key.replace(/([\s:=]).*$/s, '$1***');
}
