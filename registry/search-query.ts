/**
 * The parameters of a search, read from an address. A parameter that the protocol knows and that has an impossible value
 * is refused; one that it does not know is ignored, so that later versions of the protocol can add some.
 */
import { HttpError } from './http-error.ts';
import { parseTimeMs } from './member-reader.ts';

const SORTS = ['relevance', 'popularity', 'rating', 'updated', 'name'] as const;
export type SortField = (typeof SORTS)[number];
type SortOrder = 'asc' | 'desc';

/** The protocol's default page. */
const DEFAULT_LIMIT = 20;
/** A search of more characters than this is no search: refused before any work is done. */
const QUERY_LENGTH = 2_000;
/** More values of one parameter than this do not fit in an address anyway. */
const LIST_LENGTH = 1_000;

/** Lists are lower case (names are not); empty: no filter. */
export interface SearchCriteria {
  readonly query: string;
  readonly names: readonly string[];
  readonly categories: readonly string[];
  readonly domains: readonly string[];
  readonly complexities: readonly string[];
  readonly keywords: readonly string[];
  readonly connectionTypes: readonly string[];
  readonly packageManagers: readonly string[];
  readonly licenses: readonly string[];
  readonly minRating: number | null;
  readonly verified: boolean | null;
  readonly validated: boolean | null;
  readonly researchUser: boolean | null;
  readonly updatedSinceMs: number | null;
  readonly sortBy: SortField;
  readonly sortOrder: SortOrder;
}

export interface SearchQuery {
  readonly criteria: SearchCriteria;
  readonly limit: number;
  readonly offset: number;
}

/** Reads the parameters; a larger `limit` than `maxLimit` is taken as that. Throws an HttpError (bad_parameter). */
export function readSearchQuery(parameters: URLSearchParams, maxLimit: number): SearchQuery {
  const query = (readOne(parameters, 'q') ?? '').trim();
  if (query.length > QUERY_LENGTH) refuse('q', `at most ${QUERY_LENGTH} characters long`, `${query.length} characters`);
  const sortBy = readChoice(parameters, 'sort_by', SORTS) ?? 'relevance';
  const sortOrder = readChoice(parameters, 'sort_order', ['asc', 'desc'] as const);
  return {
    criteria: {
      query,
      names: readList(parameters, 'name'),
      categories: readFolded(parameters, 'category'),
      domains: readFolded(parameters, 'domain'),
      complexities: readFolded(parameters, 'complexity'),
      keywords: readFolded(parameters, 'keyword'),
      connectionTypes: readFolded(parameters, 'connection_type'),
      packageManagers: readFolded(parameters, 'package_manager'),
      licenses: readFolded(parameters, 'license'),
      minRating: readNumber(parameters, 'min_rating', 0, 5),
      verified: readFlag(parameters, 'verified'),
      validated: readFlag(parameters, 'validated'),
      researchUser: readFlag(parameters, 'research_user'),
      updatedSinceMs: readTime(parameters, 'updated_since'),
      sortBy,
      sortOrder: sortOrder ?? (sortBy === 'name' ? 'asc' : 'desc'),
    },
    limit: Math.min(readInteger(parameters, 'limit', 1) ?? DEFAULT_LIMIT, maxLimit),
    offset: readInteger(parameters, 'offset', 0) ?? 0,
  };
}

/** The value of a parameter that may be given once; null without it. */
export function readOne(parameters: URLSearchParams, name: string): string | null {
  const values = parameters.getAll(name);
  if (values.length > 1) refuse(name, 'given once', `${values.length} times`);
  return values[0] ?? null;
}

function readList(parameters: URLSearchParams, name: string): readonly string[] {
  const values = parameters.getAll(name);
  if (values.length > LIST_LENGTH) refuse(name, `given at most ${LIST_LENGTH} times`, `${values.length} times`);
  if (values.includes('')) refuse(name, 'a text that is not empty', '""');
  return values;
}

function readFolded(parameters: URLSearchParams, name: string): readonly string[] {
  return readList(parameters, name).map((value) => value.toLowerCase());
}

function readChoice<const T extends string>(
  parameters: URLSearchParams,
  name: string,
  choices: readonly T[],
): T | null {
  const value = readOne(parameters, name);
  if (value === null) return null;
  return choices.find((choice) => choice === value) ?? refuse(name, `one of ${choices.join(', ')}`, value);
}

function readFlag(parameters: URLSearchParams, name: string): boolean | null {
  const value = readChoice(parameters, name, ['true', 'false'] as const);
  return value === null ? null : value === 'true';
}

function readNumber(parameters: URLSearchParams, name: string, minimum: number, maximum: number): number | null {
  const value = readOne(parameters, name);
  if (value === null) return null;
  const number = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (number >= minimum && number <= maximum) return number;
  return refuse(name, `a number from ${minimum} to ${maximum}`, value);
}

function readInteger(parameters: URLSearchParams, name: string, minimum: number): number | null {
  const value = readOne(parameters, name);
  if (value === null) return null;
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(number) && number >= minimum
    ? number
    : refuse(name, `a whole number, ${minimum} or more`, value);
}

function readTime(parameters: URLSearchParams, name: string): number | null {
  const value = readOne(parameters, name);
  if (value === null) return null;
  return parseTimeMs(value) ?? refuse(name, 'a date or an RFC 3339 time', value);
}

function refuse(name: string, expected: string, given: string): never {
  const shown = given.length > 80 ? `${given.slice(0, 80)}…` : given;
  throw new HttpError('bad_parameter', `"${name}" must be ${expected}, but ${shown} was given.`, {
    details: { parameter: name },
  });
}
