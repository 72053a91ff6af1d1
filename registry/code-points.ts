/**
 * Compares two well-formed strings by Unicode code point. `<` compares UTF-16 units, which puts U+E000..U+FFFF behind
 * every character beyond U+FFFF. Negative: `left` first; 0 only for equal strings.
 */
export function compareCodePoints(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let index = 0; index < shorter; index += 1) {
    const leftUnit = left.charCodeAt(index);
    const rightUnit = right.charCodeAt(index);
    if (leftUnit === rightUnit) continue;
    const leftIsSurrogate = leftUnit >= 0xd800 && leftUnit <= 0xdfff;
    const rightIsSurrogate = rightUnit >= 0xd800 && rightUnit <= 0xdfff;
    // A surrogate is half of a character beyond U+FFFF: larger than any unit that is a character by itself.
    if (leftIsSurrogate !== rightIsSurrogate) return leftIsSurrogate ? 1 : -1;
    return leftUnit - rightUnit;
  }
  return left.length - right.length;
}
