import { ArmadaTime } from '@ajs/job-state';

/** Now, by Armada's clock as far as this machine's agrees with it. */
export function armadaNow(): ArmadaTime {
  return ArmadaTime(Date.now());
}
