/**
 * How deep JSON is nested, told before it is parsed: a megabyte of brackets takes a second to parse, and a hundred megabytes of
 * memory; to look through it takes a millisecond.
 */

/** Whether brackets and braces of JSON in UTF-8, those in strings left out, open more than `maxDepth` levels. */
export function isNestedDeeper(bytes: Uint8Array, maxDepth: number): boolean {
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    switch (bytes[at]) {
      case 0x22: // "
        at += 1;
        while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
        break;
      case 0x7b: // {
      case 0x5b: // [
        depth += 1;
        if (depth > maxDepth) return true;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth -= 1;
        break;
    }
  }
  return false;
}
