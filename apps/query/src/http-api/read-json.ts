import type { JsonValue } from '@bufbuild/protobuf';

/** Valid requests are an object with lists in it, and nest less deep. */
const MAX_DEPTH = 8;

/**
 * Throws SyntaxError where the text is not JSON, and before it is parsed where it nests too deep, so that its readers may recurse, or
 * has more than `maxValues` values in all its lists and objects.
 */
export function readJson(text: string, maxValues: number): JsonValue {
  const { depth, values } = measure(text);
  if (depth > MAX_DEPTH) throw new SyntaxError(`nested deeper than ${MAX_DEPTH} levels`);
  if (values > maxValues) throw new SyntaxError(`more than ${maxValues} values; request fewer ids per call`);
  return JSON.parse(text) as JsonValue;
}

/** How deep the brackets of a JSON text nest, and at most how many values it has; of any other text, some numbers. */
function measure(text: string): { readonly depth: number; readonly values: number } {
  let level = 0;
  let depth = 0;
  let values = 1;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === ',') values++;
    else if (character === '{' || character === '[') {
      values++;
      depth = Math.max(depth, ++level);
    } else if (character === '}' || character === ']') level--;
  }
  return { depth, values };
}
