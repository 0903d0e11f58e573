import type { JobSubmitRequestItem } from '@ajs/contracts/api/submit';

/** How a job ends; with `runSteps` it runs for so many steps first. */
export type Fate =
  | { readonly kind: 'succeeds'; readonly runSteps?: number }
  | { readonly kind: 'fails'; readonly exitCode: number; readonly runSteps?: number }
  /** Its first run fails, the second succeeds. */
  | { readonly kind: 'is-retried'; readonly exitCode: number; readonly runSteps?: number }
  | { readonly kind: 'is-preempted'; readonly runSteps?: number }
  /** Until somebody cancels or preempts it. */
  | { readonly kind: 'runs-on' }
  | { readonly kind: 'is-cancelled' }
  | { readonly kind: 'is-rejected' };

/**
 * The fate that a submitted job's pod spec names, anywhere in its text. The job succeeds, unless there is
 * - `exit N`: it fails with this code, if that is not 0;
 * - `sleep N`: it runs N seconds longer than others; `sleep forever` or `sleep infinity`: until somebody ends it;
 * - `fate=retried`: its first run fails, with the code of `exit N` or 1, and the second succeeds;
 * - `fate=preempted`, `fate=rejected`: it is preempted or rejected;
 * - `fate=refused`: it never becomes a job, and the response to its submission says so.
 */
export function fateOf({ podSpec, podSpecs }: JobSubmitRequestItem, stepMs: number): Fate | 'is-refused' {
  const text = Buffer.concat([podSpec, ...podSpecs]).toString('latin1');
  const exitCode = Number(/exit (\d{1,3})/.exec(text)?.[1] ?? 0);
  const seconds = Number(/sleep (\d{1,5})/.exec(text)?.[1] ?? 0);
  const runSteps = Math.ceil((seconds * 1_000) / stepMs);
  switch (/fate=(retried|preempted|rejected|refused)/.exec(text)?.[1]) {
    case 'retried':
      return { kind: 'is-retried', exitCode: exitCode || 1, runSteps };
    case 'preempted':
      return { kind: 'is-preempted', runSteps };
    case 'rejected':
      return { kind: 'is-rejected' };
    case 'refused':
      return 'is-refused';
    case undefined:
    default:
      if (/sleep (forever|infinity)/.test(text)) return { kind: 'runs-on' };
      return exitCode === 0 ? { kind: 'succeeds', runSteps } : { kind: 'fails', exitCode, runSteps };
  }
}
