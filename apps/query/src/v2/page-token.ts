import { createHash } from 'node:crypto';
import { invalidRequest } from './error-info.js';

/** Longer ones are no tokens of ours. Characters. */
const MAX_LENGTH = 4_096;
const CHECK_BYTES = 6;

/**
 * Page tokens: where a list goes on, for callers to hand back as it came. A token holds no secret and grants nothing; its check sum finds
 * those that were cut, or that belong to another list, and anybody can make it: who lists judges the parts.
 */
export class PageTokens<Position extends readonly string[]> {
  /** @param list what is listed, with whatever the request says that must not change from page to page */
  constructor(
    private readonly list: string,
    private readonly parts: Position['length'],
  ) {}

  format(position: Position): string {
    const text = JSON.stringify(position);
    return Buffer.concat([this.checkOf(text), Buffer.from(text)]).toString('base64url');
  }

  /** `undefined` for an empty one: the first page. Throws INVALID_ARGUMENT. */
  parse(token: string): Position | undefined {
    if (token === '') return undefined;
    if (token.length > MAX_LENGTH) throw invalid();
    const bytes = Buffer.from(token, 'base64url');
    const text = bytes.toString('utf8', CHECK_BYTES);
    if (!this.checkOf(text).equals(bytes.subarray(0, CHECK_BYTES))) throw invalid();
    return this.positionIn(text);
  }

  private positionIn(text: string): Position {
    const position = parsed(text);
    if (!this.isPosition(position)) throw invalid();
    return position;
  }

  private isPosition(value: unknown): value is Position {
    return (
      Array.isArray(value) && value.length === this.parts && value.every((part) => typeof part === 'string')
    );
  }

  private checkOf(text: string): Buffer {
    return createHash('sha256').update(`${this.list}\n${text}`).digest().subarray(0, CHECK_BYTES);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(): Error {
  return invalidRequest(
    'page_token is invalid here; take next_page_token of the page before, with the same request, or leave it out',
  );
}
