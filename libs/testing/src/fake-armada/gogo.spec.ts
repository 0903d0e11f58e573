import { JobSetRequest } from '@ajs/contracts/api/event';
import { JobSubmitRequest, JobSubmitRequestItem } from '@ajs/contracts/api/submit';
import { hostileMessages, wireField, wireVarint } from '../hostile-messages.js';
import { JOB_SET_REQUEST, JOB_SUBMIT_REQUEST, asGogoReads } from './gogo.js';
import { submitItem } from './submit-item.js';

const submitOf = (bytes: Buffer): JobSubmitRequest =>
  JobSubmitRequest.decode(asGogoReads(bytes, JOB_SUBMIT_REQUEST));

describe('the fake Armada’s decoder', () => {
  it('reads plain messages as they are', () => {
    const item = submitItem('exit 0', {
      priority: 1.5,
      clientId: 'c',
      externalJobUri: 'u',
      labels: { a: 'b' },
      annotations: { c: 'd', e: '' },
    });
    const request = {
      queue: 'q',
      jobSetId: 's',
      jobRequestItems: [item, JobSubmitRequestItem.decode(Buffer.of())],
    };
    const bytes = Buffer.from(JobSubmitRequest.encode(request).finish());
    expect(asGogoReads(bytes, JOB_SUBMIT_REQUEST)).toEqual(bytes);
  });

  it.each(hostileMessages(1))('reads what Armada reads of $title', ({ bytes, queueForArmada }) => {
    if (queueForArmada === undefined) expect(() => submitOf(bytes)).toThrow(/./);
    else expect(submitOf(bytes).queue).toBe(queueForArmada);
  });

  it('goes on behind a tag of 2^33 also in an item', () => {
    const item = Buffer.concat([wireField(13, 'u'), wireVarint(2 ** 33), Buffer.of(0), wireField(13, 'v')]);
    expect(submitOf(wireField(3, item)).jobRequestItems).toMatchObject([{ externalJobUri: 'v' }]);
  });

  it.each([
    ['1 and more', '1002', true],
    ['more than 32 bits', '108080808010', true],
    ['longer than need be', '108100', true],
    ['more than 64 bits', '1080808080808080808002', false],
    ['the last of two', '10011000', false],
    ['behind a tag of 2^33', '8080808020001001', true],
  ])('reads a bool that is %s', (_, hex, value) => {
    expect(JobSetRequest.decode(asGogoReads(Buffer.from(hex, 'hex'), JOB_SET_REQUEST)).watch).toBe(value);
  });
});
