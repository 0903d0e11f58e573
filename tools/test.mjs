// npm test: runs every check. Uses Node's own modules only until all packages are installed. The last line is `N passed, N failed`,
// counted from the reports that the test runners wrote.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { ensureInstalled, root, runNx } from './install.mjs';

ensureInstalled();
rmSync(`${root}reports`, { recursive: true, force: true });

const tool = (...args) => spawnSync(process.execPath, args, { cwd: `${root}tools`, stdio: 'inherit' }).status;
const bin = (name, ...args) =>
  spawnSync(`${root}node_modules/.bin/${name}`, args, { cwd: root, stdio: 'inherit' }).status;
const counts = { passed: 0, failed: 0 };
/** What failed, by name: repeated at the end, where people look first. */
const failures = [];

function count(what, passed, failed) {
  counts.passed += passed;
  counts.failed += failed;
  console.log(`${failed === 0 ? 'ok  ' : 'FAIL'} ${what}: ${passed} passed, ${failed} failed`);
}

/** Counts a check without a report as one test. */
function check(what, run) {
  const passed = run() === 0;
  count(what, passed ? 1 : 0, passed ? 0 : 1);
}

check('formatting', () => bin('prettier', '--check', '--log-level', 'warn', '.'));
check('every package runs on the Node of engines', () => tool('engines.mjs'));
check('generated code matches proto/', () => tool('generate.mjs', '--check'));
check('docs list every setting and metric', () => tool('reference.mjs', '--check'));
check('licences are listed and permissive', () => tool('licences.mjs', '--check'));
check('protos: lint', () => bin('buf', 'lint', 'proto'));
check('protos: compatible with the last release', () =>
  bin('buf', 'breaking', 'proto', '--against', 'proto/baseline.binpb'),
);
check('lint and layers', () => runNx(['run-many', '-t', 'lint']));
check('types', () => runNx(['run-many', '-t', 'typecheck']));
check('build', () => runNx(['run-many', '-t', 'build']));

// End-to-end tests need the machine for themselves.
runNx(['run-many', '-t', 'test', '--exclude', 'e2e', '--output-style', 'static'], { verbose: true });
runNx(['run', 'e2e:test'], { verbose: true });

for (const [project, report] of reports('jest', '.json')) {
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, numPendingTests, testResults } =
    JSON.parse(report);
  // A skipped test has not passed: it counts as failed.
  count(`tests of ${project}`, numPassedTests, numFailedTests + numRuntimeErrorTestSuites + numPendingTests);
  for (const { name, message, assertionResults } of testResults) {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    if (assertionResults.length === 0 && message !== '') failures.push(`${name}\n${message}`);
    for (const { fullName, failureMessages } of failed)
      failures.push(`${name}: ${fullName}\n${failureMessages.join('\n')}`);
  }
}
for (const [suite, report] of reports('junit', '.xml')) {
  const attribute = (name) =>
    Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(report)?.[1] ?? 0);
  const failed = attribute('failures') + attribute('errors') + attribute('skipped');
  count(`tests of ${suite}`, attribute('tests') - failed, failed);
}
for (const project of projectsWithTests()) {
  if (!existsSync(`${root}reports/jest/${project}.json`)) count(`tests of ${project}: no report`, 0, 1);
}

for (const failure of failures) console.log(`\nFAILED ${failure.slice(0, 3000)}`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;

function reports(folder, extension) {
  const path = `${root}reports/${folder}`;
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => [name.slice(0, -extension.length), readFileSync(`${path}/${name}`, 'utf8')]);
}

/** The projects with a test target: a runner that died without a report must not go unnoticed. */
function projectsWithTests() {
  return ['apps', 'libs', 'tools', '.']
    .flatMap((folder) =>
      readdirSync(`${root}${folder}`).map((name) => `${root}${folder}/${name}/project.json`),
    )
    .filter(existsSync)
    .map((file) => JSON.parse(readFileSync(file, 'utf8')))
    .filter(({ targets }) => targets?.test !== undefined)
    .map(({ name }) => name);
}
