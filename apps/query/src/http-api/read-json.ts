import type { JsonValue } from '@bufbuild/protobuf';

/** Valid requests are an object with lists in it, and nest less deep. */
const MAX_DEPTH = 8;

/** Throws SyntaxError where the text is not JSON or nests too deep, so that its readers may recurse. */
export function readJson(text: string): JsonValue {
  if (depthOf(text) > MAX_DEPTH) throw new SyntaxError(`nested deeper than ${MAX_DEPTH} levels`);
  return JSON.parse(text) as JsonValue;
}

/** How deep the brackets of a JSON text nest; of any other text, some number. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth--;
  }
  return deepest;
}
