import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { SettingsError, readYamlFile, withoutValue } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'yaml-file-'));
const file = join(folder, 'settings.yaml');
const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
afterAll(() => {
  warned.mockRestore();
  rmSync(folder, { recursive: true });
});

function read(text: string): unknown {
  writeFileSync(file, text);
  return readYamlFile(file);
}

describe('a YAML file', () => {
  it('has every value as the text that is written there', () => {
    expect(read('a: 007\nb: yes\nc: [1e3, null]\nd:\n')).toEqual({
      a: '007',
      b: 'yes',
      c: ['1e3', 'null'],
      d: '',
    });
  });

  const ten = (what: string): string => `[${Array<string>(10).fill(what).join(', ')}]`;

  it.each([
    ['is not YAML', 'a: "hidden\nb: c\n', / at line \d+, column \d+ \(\w+\)$/],
    [
      'has a tag that nobody knows',
      'password: !vault hidden\n',
      / at line 1, column 11 \(TAG_RESOLVE_FAILED\)$/,
    ],
    ['has a key twice', 'a: hidden\na: b\n', / at line 2, column 1 \(DUPLICATE_KEY\)$/],
    ['has several documents', 'a: hidden\n---\nb: c\n', / at line 2, column 1 \(MULTIPLE_DOCS\)$/],
    ['refers to something that is not there', 'a: *hidden\n', /: it is not valid YAML$/],
    [
      'would not fit into memory',
      `a: &a ${ten('hidden')}\nb: &b ${ten('*a')}\nc: &c ${ten('*b')}\nd: ${ten('*c')}\n`,
      /: it is not valid YAML$/,
    ],
  ])('that %s is refused, with the place if there is one', (_, text, problem) => {
    let error: unknown;
    try {
      read(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SettingsError);
    expect((error as SettingsError).problems).toEqual([expect.stringMatching(problem)]);
    expect((error as SettingsError).message).not.toContain('hidden');
  });

  it('has none of its text printed as a warning', () => {
    read('{ { password: hidden }: a }\n');
    expect(warned).not.toHaveBeenCalled();
  });
});

describe('a key', () => {
  it.each([
    ['logLevel', 'logLevel'],
    ['password:hidden', 'password:***'],
    ['password=hidden\nmore', 'password=***'],
    ['password hidden', 'password ***'],
    ['{ password: hidden }', '{ ***'],
  ])('is shown without what may be a value: %j', (key, shown) => {
    expect(withoutValue(key)).toBe(shown);
  });
});
