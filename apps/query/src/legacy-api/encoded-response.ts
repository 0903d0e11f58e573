import { JobServiceResponse } from '@ajs/contracts/jobservice/jobservice';
import type { UnaryReply } from '../grpc/unary-method.js';

type EncodedResponse = Required<Pick<UnaryReply<JobServiceResponse>, 'response' | 'encoded'>>;

/** Responses without a text, of which there are as many as there are states. */
const plain = new Map<JobServiceResponse['state'], EncodedResponse>();

/** A response with its bytes; the same object for every response of a state without a text, as nearly all are. */
export function encodedResponse(response: JobServiceResponse): EncodedResponse {
  const { state, error } = response;
  const known = error === '' ? plain.get(state) : undefined;
  if (known !== undefined) return known;
  const made = { response, encoded: JobServiceResponse.encode(response).finish() };
  if (error === '') plain.set(state, made);
  return made;
}
