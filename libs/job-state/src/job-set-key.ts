/** Names one event stream of Armada. Both parts are Armada's own and may hold any character. */
export interface JobSetKey {
  readonly queue: string;
  readonly jobSetId: string;
}
