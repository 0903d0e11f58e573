import { buildPatched } from '../patched-build.js';
import { PLANTED_BUGS } from './bugs.js';

const BUGS = Object.entries(PLANTED_BUGS);
/** Every wait has a deadline of its own; this leaves a busy machine time for three checks at once. */
const PATIENCE_MS = 240_000;

it.concurrent.each(BUGS)(
  '%s is not in the build that ships: its check passes',
  (_, { check }) => check({}),
  PATIENCE_MS,
);

it.concurrent.each(BUGS)(
  '%s fails its check by an assertion',
  async (name, { app, patches, check, foundBy }) => {
    const failure = await check({ [app]: await buildPatched(app, name, patches) }).then(
      () => undefined,
      (error: unknown) => error,
    );
    // Anything else that fails, a time-out too, is no assertion.
    expect(failure).toHaveProperty('matcherResult.pass', false);
    expect(stripColours((failure as Error).message)).toMatch(foundBy);
  },
  PATIENCE_MS,
);

function stripColours(text: string): string {
  return text.replaceAll(/\u001b\[\d+m/g, '');
}
