// One configuration for every project: Nx passes the project's folder as --rootDir.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = import.meta.dirname;
const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.base.json'), 'utf8'));
const paths = Object.entries(compilerOptions.paths).map(([name, [file]]) => [
  `^${name.replace('*', '(.*)')}$`,
  join(root, file.replace('*', '$1')),
]);

export default {
  testEnvironment: 'node',
  // Every wait has a deadline of its own, made for it: this one is only for a test that has none, on a machine that is busy.
  testTimeout: 90_000,
  // Those that run together are whole installations: more of them would keep a small machine from answering in time.
  maxConcurrency: 3,
  testMatch: ['<rootDir>/src/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'mjs', 'js', 'json', 'node'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true },
        },
        module: { type: 'es6' },
      },
    ],
    '\\.lua$': join(root, 'tools/jest-text.mjs'),
  },
  moduleNameMapper: { ...Object.fromEntries(paths), '^(\\.{1,2}/.*)\\.js$': '$1' },
};
