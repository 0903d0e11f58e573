import { join } from 'node:path';

/** The folder of the project. Holds here as in the bundle that `npm run soak` and `npm run chaos` run, `dist/e2e/main.js`. */
export const ROOT = join(import.meta.dirname, '../..');
