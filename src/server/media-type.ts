/** Which of the two media types of GraphQL over HTTP a client gets. */
import { LRUCache } from 'lru-cache';

export type ResponseMediaType = 'application/json' | 'application/graphql-response+json';

const MEDIA_TYPES: readonly ResponseMediaType[] = ['application/json', 'application/graphql-response+json'];

interface Range {
  readonly pattern: string;
  readonly quality: number;
  readonly position: number;
}

/** Verdicts by header text: clients send the same over and over. Longer ones than any browser's are judged anew. */
const REMEMBERED_HEADERS = 200;
const MAX_REMEMBERED_CHARACTERS = 300;
const remembered = new LRUCache<string, { readonly chosen: ResponseMediaType | null }>({ max: REMEMBERED_HEADERS });

/**
 * Chooses by the header `Accept` (RFC 9110, section 12.5.1): by quality, then by what the client names first. Without a
 * header it is application/json, as GraphQL over HTTP asks for. null: neither is acceptable.
 */
export function chooseMediaType(accept: string | undefined): ResponseMediaType | null {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return 'application/json';
  const known = remembered.get(accept);
  if (known !== undefined) return known.chosen;
  const chosen = chooseByRanges(accept);
  if (accept.length <= MAX_REMEMBERED_CHARACTERS) remembered.set(accept, { chosen });
  return chosen;
}

function chooseByRanges(accept: string): ResponseMediaType | null {
  if (accept.trim() === '') return 'application/json';
  const ranges = accept.split(',').map(parseRange);
  let best: { mediaType: ResponseMediaType; range: Range } | null = null;
  for (const mediaType of MEDIA_TYPES) {
    const range = findRange(ranges, mediaType);
    if (range === null || range.quality === 0) continue;
    const isBetter =
      best === null ||
      range.quality > best.range.quality ||
      (range.quality === best.range.quality && range.position < best.range.position);
    if (isBetter) best = { mediaType, range };
  }
  return best?.mediaType ?? null;
}

function parseRange(text: string, position: number): Range {
  const [pattern = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith('q='));
  const quality = given === undefined ? 1 : Number(given.slice(2));
  return { pattern, quality: quality >= 0 && quality <= 1 ? quality : 0, position };
}

/** The most specific range that the media type falls into. */
function findRange(ranges: readonly Range[], mediaType: ResponseMediaType): Range | null {
  for (const pattern of [mediaType, 'application/*', '*/*']) {
    const range = ranges.find((candidate) => candidate.pattern === pattern);
    if (range !== undefined) return range;
  }
  return null;
}
