import type { JsonValue } from '@bufbuild/protobuf';

/** Requests are an object with lists in it. What nests deeper than this is none of them. */
const DEEPEST = 8;

/** Throws SyntaxError where the text is no JSON, or nests too deep: whoever walks through it may go down by calling itself. */
export function readJson(text: string): JsonValue {
  if (depthOf(text) > DEEPEST) throw new SyntaxError(`it nests deeper than ${DEEPEST} levels`);
  return JSON.parse(text) as JsonValue;
}

/** How deep the brackets of a text nest that is JSON; of one that is not, anything. */
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
