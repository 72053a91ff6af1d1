import { distance } from 'fastest-levenshtein';

/** Keys are short; a longer text is a mistake of another kind, and distances cost length × length. */
const MAX_LENGTH = 64;

/**
 * The known text nearest to a given one, upper and lower case alike; null when none is near: more than half of the longer
 * of the two would have to change.
 */
export function findNearest(given: string, known: readonly string[]): string | null {
  if (given.length > MAX_LENGTH) return null;
  const asked = given.toLowerCase();
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const steps = distance(asked, candidate.toLowerCase());
    if (steps < bestDistance && steps <= Math.max(given.length, candidate.length) / 2) {
      best = candidate;
      bestDistance = steps;
    }
  }
  return best;
}
