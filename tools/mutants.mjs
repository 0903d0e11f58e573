// npm run mutants -- PROJECT: changes the code of a project one small piece at a time, and lists the changes that none of its specs
// notices. With files (or patterns), only those are changed. Needs minutes: it is no part of npm test. Reports to reports/mutants/PROJECT.html.
import { ensureInstalled, root } from './install.mjs';

/** What of each project is changed: code that decides. Generated code, wiring and process code would only add noise. */
const MUTATED = {
  'job-state': ['libs/job-state/src/**/*.ts'],
  'redis-keys': ['libs/redis-keys/src/**/*.ts'],
  'wire-mapping': ['libs/wire-mapping/src/**/*.ts'],
  auth: ['libs/auth/src/**/*.ts'],
  query: [
    'apps/query/src/access/*.ts',
    'apps/query/src/legacy-api/*.ts',
    'apps/query/src/store/*.ts',
    'apps/query/src/upstream/*.ts',
  ],
};

/** Whose specs are run, if not those of the project alone: those of the query service try the authorizer on its real counterparts. */
const SPECS = { auth: ['libs/auth', 'apps/query/src/access'] };

/** Pure code, of which specs must notice this part of the changes: fewer fail the run. Percent. */
const PURE = ['job-state', 'redis-keys', 'wire-mapping'];
const LEAST_NOTICED = 90;

const [project, ...files] = process.argv.slice(2);
const mutated = MUTATED[project];
if (mutated === undefined) {
  console.error(`usage: npm run mutants -- ${Object.keys(MUTATED).join('|')} [FILE...]`);
  process.exit(1);
}
ensureInstalled();
process.chdir(root);
const { Stryker } = await import('@stryker-mutator/core');
const folders = SPECS[project] ?? [mutated[0].split('/').slice(0, 2).join('/')];
await new Stryker({
  mutate: [...(files.length > 0 ? files : mutated), '!**/*.spec.ts', '!**/*.module.ts', '!**/testing/**'],
  ignorePatterns: ['dist', 'tmp', 'reports', '.nx', 'bench'],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--no-warnings'],
  jest: {
    configFile: 'jest.config.mjs',
    config: {
      rootDir: '.',
      roots: folders.map((folder) => `<rootDir>/${folder}`),
      testMatch: ['**/src/**/*.spec.ts'],
      testRunner: `${root}tools/mutants-jest-circus.mjs`,
    },
  },
  coverageAnalysis: 'perTest',
  // What runs while the code is loaded is looked through by hand where it would cost a run of every spec each.
  ignoreStatic: !PURE.includes(project),
  concurrency: 2,
  // A mutant that takes too long counts as noticed: on a busy machine that must not be one that is only slow.
  timeoutMS: 60_000,
  tempDirName: 'tmp/mutants',
  reporters: ['progress-append-only', 'clear-text', 'html', 'json'],
  clearTextReporter: { logTests: false, reportTests: false, allowColor: false },
  htmlReporter: { fileName: `reports/mutants/${project}.html` },
  jsonReporter: { fileName: `reports/mutants/${project}.json` },
  thresholds: { break: PURE.includes(project) ? LEAST_NOTICED : null },
}).runMutationTest();
