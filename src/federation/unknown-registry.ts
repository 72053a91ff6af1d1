/** What is said of the name of a registry that there is none of. */
import { distance } from 'fastest-levenshtein';
import type { VisibleRegistry } from './answers.ts';

/** Names that are suggested for one that is unknown, and how many letters they may be off. */
const MAX_SUGGESTIONS = 3;
const MAX_SUGGESTION_DISTANCE = 4;

/** Names the nearest of those that the caller sees. `field`: the argument that named it. */
export function describeUnknown(name: string, field: string, registries: readonly VisibleRegistry[]): string {
  const shortened = name.length > 63 ? `${name.slice(0, 63)}…` : name;
  const nearest = registries
    .map(({ source }) => ({ name: source.info.name, distance: distance(source.info.name, name.slice(0, 200)) }))
    .filter((each) => each.distance <= MAX_SUGGESTION_DISTANCE)
    .sort((left, right) => left.distance - right.distance)
    .slice(0, MAX_SUGGESTIONS)
    .map((each) => `"${each.name}"`);
  const advice =
    nearest.length > 0 ? `Did you mean ${nearest.join(' or ')}?` : 'List them with the field "registries".';
  return `"${field}" must name registries that you can see; "${shortened}" is none of them. ${advice}`;
}
