import { createHash } from 'node:crypto';
import { invalidRequest } from './error-info.js';

const CHECK_BYTES = 6;

/** In which part of a list it goes on, whose name has no blank, and behind what of that. */
export type PagePosition = readonly [part: string, behind: string];

/**
 * Page tokens: where a list goes on, for callers to hand back as it came. A token holds no secret and grants nothing; its check sum finds
 * those that were cut, or that belong to another list, and anybody can make it: who lists judges the position. Nothing but the size of a
 * request limits its length: it may hold two names of 1,024 bytes, each of them escaped.
 */
export class PageTokens {
  /** @param list what is listed, with whatever the request says that must not change from page to page */
  constructor(private readonly list: string) {}

  format(position: PagePosition): string {
    const text = position.join(' ');
    return Buffer.concat([this.checkOf(text), Buffer.from(text)]).toString('base64url');
  }

  /** `undefined` for an empty one: the first page. Throws INVALID_ARGUMENT. */
  parse(token: string): PagePosition | undefined {
    if (token === '') return undefined;
    const bytes = Buffer.from(token, 'base64url');
    const text = bytes.toString('utf8', CHECK_BYTES);
    const blank = text.indexOf(' ');
    if (blank < 0 || !this.checkOf(text).equals(bytes.subarray(0, CHECK_BYTES))) throw invalid();
    return [text.slice(0, blank), text.slice(blank + 1)];
  }

  private checkOf(text: string): Buffer {
    return createHash('sha256').update(`${this.list}\n${text}`).digest().subarray(0, CHECK_BYTES);
  }
}

function invalid(): Error {
  return invalidRequest(
    'page_token is invalid here; take next_page_token of the page before, with the same request, or leave it out',
  );
}
