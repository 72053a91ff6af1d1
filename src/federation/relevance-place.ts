/**
 * Where a relevance walk stands in a registry's list, and how that is found again when entries came or went: by fingerprints of
 * the rows around the window's two edges.
 */
import type { CatalogRow } from '../domain/template.ts';
import type { ListReader } from './list-reader.ts';
import { indexOfPlace, type RelevancePlace } from './relevance-floors.ts';
import { hashRow } from './stream.ts';

const ANCHORS = 6;
/** Rows around the old place in which a window is looked for. */
const SEARCH_RADII: readonly number[] = [50, 200, 1000];

/** The fingerprints of a window that starts at `start`: see `RelevancePlace.anchors`. */
export function anchorsOf(reader: ListReader, start: number, rows: readonly (CatalogRow | null)[]): (number | null)[] {
  return [reader.rowAt(start - 1), rows[0], rows[1], rows.at(-3), rows.at(-2), rows.at(-1)].map(hashRow);
}

/** Rows [start, end) of the place's window, wherever they are now. Rejects with RegistryFailure. */
export async function findWindow(reader: ListReader, place: RelevancePlace): Promise<{ start: number; end: number }> {
  const size = indexOfPlace(place) === 0 ? reader.firstSize : reader.windowSize;
  let start = place.windowStart;
  let end: number | null = null;
  const { rows } = await reader.readRows(start, start + size);
  if (place.anchors.length === ANCHORS && !isWhereItWas(reader, place, rows, size)) {
    const found = await findAnchors(reader, { start, size, anchors: place.anchors });
    start = found.start ?? start;
    end = found.end !== null && found.end > start ? found.end : null;
  }
  return { start, end: end ?? start + size };
}

function isWhereItWas(
  reader: ListReader,
  place: RelevancePlace,
  rows: readonly (CatalogRow | null)[],
  size: number,
): boolean {
  const [before, first] = place.anchors;
  const startFits = hashRow(rows[0]) === first && hashRow(reader.rowAt(place.windowStart - 1)) === before;
  return startFits && (hashRow(rows.at(-1)) === place.anchors.at(-1) || rows.length < size);
}

/**
 * Searches around the old place, wider and wider. Rows may have gone: the neighbours of an edge tell it as well. Rows may have
 * moved: one that is found far from where the others say the window went to tells nothing.
 */
export async function findAnchors(
  reader: ListReader,
  window: { readonly start: number; readonly size: number; readonly anchors: RelevancePlace['anchors'] },
): Promise<{ start: number | null; end: number | null }> {
  const { start: windowStart, size: windowSize, anchors } = window;
  const places = [-1, 0, 1, windowSize - 3, windowSize - 2, windowSize - 1];
  let edges: { start: number | null; end: number | null } = { start: null, end: null };
  for (const radius of SEARCH_RADII) {
    const from = Math.max(0, windowStart - radius);
    const { rows, atEnd } = await reader.readRows(from, windowStart + windowSize + radius);
    const hashes = rows.map(hashRow);
    const found = anchors.map((hash, index) => {
      const at = nearest(hashes, hash, windowStart - from + (places[index] ?? 0));
      return at === null ? null : from + at;
    });
    edges = edgesOf(withoutMoved(found, places, windowStart, windowSize));
    if ((edges.start !== null && edges.end !== null) || (atEnd && from === 0)) break;
  }
  return edges;
}

/** Leaves out what lies further from the common shift than insertions and deletions within one window explain. */
function withoutMoved(
  found: readonly (number | null)[],
  places: readonly number[],
  windowStart: number,
  windowSize: number,
): readonly (number | null)[] {
  const shiftOf = (at: number, index: number) => at - windowStart - (places[index] ?? 0);
  const shifts = found.flatMap((at, index) => (at === null ? [] : [shiftOf(at, index)])).sort((a, b) => a - b);
  const common = shifts[Math.floor(shifts.length / 2)] ?? 0;
  const tolerance = Math.max(10, windowSize / 2);
  return found.map((at, index) => (at !== null && Math.abs(shiftOf(at, index) - common) <= tolerance ? at : null));
}

/** The window's edges by the anchors that are left: a row that went makes its neighbour the edge. */
function edgesOf(found: readonly (number | null)[]): { start: number | null; end: number | null } {
  const [before = null, first = null, second = null, thirdLast = null, secondLast = null, last = null] = found;
  const start = first ?? (before === null ? second : before + 1);
  const lastLeft = last ?? secondLast ?? thirdLast;
  return { start, end: lastLeft === null ? null : lastLeft + 1 };
}

/** The index nearest to `expected` at which `hash` stands; null when it does not, or is not known. */
function nearest(hashes: readonly (number | null)[], hash: number | null | undefined, expected: number): number | null {
  if (hash === null || hash === undefined) return null;
  let best: number | null = null;
  for (const [index, each] of hashes.entries()) {
    if (each === hash && (best === null || Math.abs(index - expected) < Math.abs(best - expected))) best = index;
  }
  return best;
}
