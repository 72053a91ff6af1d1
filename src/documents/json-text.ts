/** What a text is beyond being JSON: `JSON.parse` takes the last of two equal keys, and any depth. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * Finds the first key that its object has twice, or the first place that is deeper than `maxDepth`; null: there is none. The
 * text must be JSON already. Who reads a document with two names by the first, and who reads it by the last, read two
 * different documents.
 */
export function findJsonFault(text: string, maxDepth: number): string | null {
  /** Of each container that is open: the keys so far; null for a list. */
  const open: (Set<string> | null)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = findStringEnd(text, at);
        const keys = open.at(-1);
        if (isKeyNext && keys) {
          const key: unknown = JSON.parse(text.slice(at, end + 1));
          if (keys.has(String(key))) return 'must have each key once in each object; one stands there twice';
          keys.add(String(key));
        }
        at = end;
        break;
      }
      case 0x7b: // {
        open.push(new Set());
        isKeyNext = true;
        break;
      case 0x5b: // [
        open.push(null);
        isKeyNext = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case COMMA:
        isKeyNext = open.at(-1) !== null;
        break;
      case COLON:
        isKeyNext = false;
        break;
    }
    if (open.length > maxDepth) return `must be nested ${maxDepth} levels deep at most`;
  }
  return null;
}

/** The place of the quote that ends a string which begins at `start`. */
function findStringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}
