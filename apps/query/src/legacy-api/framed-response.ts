import { JobServiceResponse } from '@ajs/contracts/jobservice/jobservice';
import { framedToKeep } from '../grpc/response.js';
import type { UnaryReply } from '../grpc/unary-method.js';

type FramedResponse = Required<Pick<UnaryReply<JobServiceResponse>, 'response' | 'frame'>>;

/** Responses without a text, of which there are as many as there are states. */
const plain = new Map<JobServiceResponse['state'], FramedResponse>();

/** A response with its bytes as they are sent; the same object for every response of a state without a text, as nearly all are. */
export function framedResponse(response: JobServiceResponse): FramedResponse {
  const { state, error } = response;
  const known = error === '' ? plain.get(state) : undefined;
  if (known !== undefined) return known;
  const made = { response, frame: framedToKeep(JobServiceResponse.encode(response).finish()) };
  if (error === '') plain.set(state, made);
  return made;
}
