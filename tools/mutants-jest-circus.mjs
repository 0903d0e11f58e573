// The test runner of Jest, for npm run mutants: loading a spec file takes longer than running it, so a file is not loaded where the run
// wants none of its tests, or where another file has noticed the mutant already. (Jest itself looks at the names after loading. Stryker
// accepts no runner without "jest-circus" in its name.)
import circus from 'jest-circus/runner';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Stryker tells its instrumented code the mutant by this variable. The first run, of all tests, has none. */
const mutantNow = () => process.env.__STRYKER_ACTIVE_MUTANT__;
let noticed;

export default async function run(globalConfig, config, environment, runtime, file, sendMessageToJest) {
  // In Stryker's copy of the project, which all its processes share.
  const unmutated = `${file}.result.json`;
  const mutant = mutantNow();
  if (mutant !== undefined && existsSync(unmutated)) {
    const result = JSON.parse(readFileSync(unmutated, 'utf8'));
    const wanted = new RegExp(globalConfig.testNamePattern ?? '', 'i');
    if (mutant === noticed || !result.testResults.some(({ fullName }) => wanted.test(fullName))) {
      return skipped(result);
    }
  }
  const result = await circus.default(globalConfig, config, environment, runtime, file, sendMessageToJest);
  if (mutant === undefined) writeFileSync(unmutated, JSON.stringify(result));
  else if (result.numFailingTests > 0 || result.testExecError !== undefined) noticed = mutant;
  return result;
}

function skipped(result) {
  const testResults = result.testResults.map((test) => ({ ...test, status: 'pending' }));
  return { ...result, testResults, numPassingTests: 0, numPendingTests: testResults.length };
}
