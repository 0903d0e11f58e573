import { buildPatched } from '../patched-build.js';
import { PLANTED_BUGS } from './bugs.js';

describe.each(Object.entries(PLANTED_BUGS))('%s', (name, { app, patches, check, foundBy }) => {
  it('is not in the build that ships: its check passes', () => check({}), 60_000);

  it('fails its check by an assertion', async () => {
    const failure = await check({ [app]: await buildPatched(app, name, patches) }).then(
      () => undefined,
      (error: unknown) => error,
    );
    // Anything else that fails, a time-out too, is no assertion.
    expect(failure).toHaveProperty('matcherResult.pass', false);
    expect(stripColours((failure as Error).message)).toMatch(foundBy);
  }, 60_000);
});

function stripColours(text: string): string {
  return text.replaceAll(/\u001b\[\d+m/g, '');
}
