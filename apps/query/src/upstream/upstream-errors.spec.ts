import { ArmadaJobsError } from '@ajs/armada-client';
import { status } from '@grpc/grpc-js';
import { fromArmada } from './upstream-errors.js';

describe('an answer that only Armada has', () => {
  it.each([
    ['unsupported', status.UNIMPLEMENTED],
    ['refused', status.UNAVAILABLE],
    ['unavailable', status.UNAVAILABLE],
  ] as const)('is an error where Armada’s api.Jobs is %s, with its reason', async (kind, code) => {
    const failed = fromArmada(Promise.reject(new ArmadaJobsError(kind, 'the reason')));
    await expect(failed).rejects.toMatchObject({
      code,
      details: "this call is served by Armada's api.Jobs, which failed: the reason",
    });
  });

  it('passes on a defect as it is', async () => {
    await expect(fromArmada(Promise.reject(new TypeError('a defect')))).rejects.toThrow(TypeError);
  });
});
