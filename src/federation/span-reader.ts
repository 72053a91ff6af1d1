/**
 * Reads stretches of one registry's ordered list, in as many requests as the registry's cap on one answer demands, and keeps
 * the record of what that has cost and shown.
 */
import { RegistryFailure } from '../domain/errors.ts';
import type { Answer, RegistrySource, RowPage, SentFacets } from '../domain/registry.ts';
import type { TemplateCriteria, TemplateOrder } from '../domain/search.ts';
import type { CatalogRow } from '../domain/template.ts';
import { createRecord, type ReadingRecord, worseOutcome } from './reading-record.ts';
import type { RegistryTraits } from './traits.ts';

/** What a registry's list is a list of. Equal lists are shared by all callers and pages. */
export interface ListQuery {
  readonly query: string;
  readonly criteria: TemplateCriteria;
  readonly order: TemplateOrder;
}

/** A list read from its beginning on, as far as a bound. */
export interface ListBeginning {
  readonly rows: readonly (CatalogRow | null)[];
  /** Every row of the list is there. */
  readonly isWhole: boolean;
}

interface Span {
  readonly rows: readonly (CatalogRow | null)[];
  readonly atEnd: boolean;
  readonly fetchedAtMs: number;
}

interface Piece {
  readonly offset: number;
  readonly limit: number;
}

export interface SpanReaderOptions {
  readonly background?: boolean;
  readonly record?: ReadingRecord;
}

/** How often rows that do not fit together are fetched again before the newest are believed. */
export const MAX_REFETCHES = 2;
/** Rows that are asked for at most to find names, for each of them: a registry may repeat itself. */
const MOST_TIMES_NAMES = 4;
/** Requests for one window at most: a registry that gives one row at a time is just served by it. */
const MAX_PIECES = 64;
/** Pieces of one window that are asked for at once, of a registry that gives fewer rows at a time. */
const PARALLEL_PIECES = 8;

export class SpanReader {
  readonly source: RegistrySource;
  readonly list: ListQuery;
  readonly windowSize: number;
  readonly traits: RegistryTraits;
  readonly record: ReadingRecord;
  /** As the newest answer says. */
  totalCount: number | null = null;
  claimsTotalOrder = false;
  /** Where the registry stopped letting itself be read, though it says there is more. */
  reachable: number | null = null;
  readonly #deadlineMs: number;
  readonly #background: boolean;
  #newestCountAtMs = 0;

  /**
   * `deadlineMs`: on the clock of `performance.now()`. `background`: nobody waits for these rows, so they are read only
   * where the registry's budget is spare. `record`: shared by the readers of one registry's part in a page.
   */
  constructor(
    source: RegistrySource,
    list: ListQuery,
    windowSize: number,
    traits: RegistryTraits,
    deadlineMs: number,
    options: SpanReaderOptions = {},
  ) {
    this.source = source;
    this.list = list;
    this.windowSize = windowSize;
    this.traits = traits;
    this.#deadlineMs = deadlineMs;
    this.#background = options.background ?? false;
    this.record = options.record ?? createRecord();
  }

  /** Only these of the matches: the names among `names` that match, with their rows. Rejects with RegistryFailure. */
  async readNamed(names: readonly string[]): Promise<readonly CatalogRow[]> {
    for (let limit = names.length; ; limit *= 2) {
      const { rows, atEnd } = await this.readSpan(0, limit, 0, names);
      const named = rows.filter((row) => row !== null);
      // A registry that repeats entries may have filled its answer with them, and others may stand behind it.
      const isFull = !atEnd && new Set(named.map(({ name }) => name)).size < limit;
      if (!isFull || limit >= MOST_TIMES_NAMES * names.length) return named;
    }
  }

  /**
   * Reads from the beginning on until the list ends, or `maxRows` rows or `maxRequests` requests are used up, in pieces of
   * `maxRows / maxRequests` rows. Pieces from before `sinceMs` (clock of `Date.now()`) are fetched again when others are newer. Rejects with RegistryFailure.
   */
  async readBeginning(maxRows: number, maxRequests: number, sinceMs: number = Date.now()): Promise<ListBeginning> {
    for (let attempt = 0, notBeforeMs = 0; ; attempt += 1) {
      const { answers, ...read } = await this.#readInPieces(maxRows, maxRequests, notBeforeMs);
      if (attempt >= MAX_REFETCHES || areOfOneReading(answers, sinceMs)) return read;
      notBeforeMs = sinceMs;
    }
  }

  async #readInPieces(
    maxRows: number,
    maxRequests: number,
    notBeforeMs: number,
  ): Promise<ListBeginning & { readonly answers: readonly Answer<RowPage>[] }> {
    const rows: (CatalogRow | null)[] = [];
    const answers: Answer<RowPage>[] = [];
    const end = (isWhole: boolean) => ({ rows, isWhole, answers });
    while (rows.length < maxRows && answers.length < maxRequests) {
      const pieceRows = Math.min(this.traits.pageCap ?? Number.POSITIVE_INFINITY, Math.ceil(maxRows / maxRequests));
      const offsets = this.#offsetsOfPieces(rows.length, pieceRows, maxRows, maxRequests - answers.length);
      const before = rows.length;
      const got = await Promise.all(
        offsets.map((offset) => this.#ask(offset, Math.min(pieceRows, maxRows - offset), notBeforeMs)),
      ).catch((error: unknown) => {
        if (!isDepthRefusal(error, before)) throw error;
        this.reachable = before;
        return [];
      });
      if (got.length === 0) return end(false);
      for (const [index, answer] of got.entries()) {
        answers.push(answer);
        rows.push(...answer.value.rows);
        if (answer.value.rows.length === Math.min(pieceRows, maxRows - (offsets[index] ?? 0))) continue;
        const { length } = answer.value.rows;
        if (length === 0 || !this.#mayGoOn(rows.length, length, answer.value.totalCount)) {
          this.#noteEnd(rows.length, false);
          return end(this.reachable === null);
        }
        this.traits.notePageCap(length);
        break;
      }
    }
    return end(!this.traits.miscounts && this.totalCount !== null && this.totalCount <= rows.length);
  }

  /** The first piece alone, which tells how many rows there are; then several at once. */
  #offsetsOfPieces(from: number, pieceRows: number, maxRows: number, maxRequests: number): number[] {
    const isCounted = from > 0 && this.totalCount !== null && !this.traits.miscounts;
    const end = isCounted ? Math.min(maxRows, Math.max(this.totalCount ?? 0, from + 1)) : from + 1;
    const count = Math.min(PARALLEL_PIECES, maxRequests, Math.ceil((end - from) / pieceRows));
    return Array.from({ length: Math.max(1, count) }, (_, index) => from + index * pieceRows);
  }

  /** Rows [offset, offset + limit), read again when its pieces do not fit together. */
  protected async readSpan(
    offset: number,
    limit: number,
    notBeforeMs: number,
    names?: readonly string[],
  ): Promise<Span> {
    let freshFromMs = notBeforeMs;
    for (let attempt = 0; ; attempt += 1) {
      const span = await this.#readPieces(offset, limit, freshFromMs, names);
      if (span.fits) return span;
      if (attempt >= MAX_REFETCHES) throw this.misfit();
      freshFromMs = Date.now();
    }
  }

  /**
   * Rows [offset, offset + limit), in as many requests as the registry's cap demands. Each piece begins with the row that the
   * one before it ended with, so that it shows whether anything came or went between them.
   */
  async #readPieces(
    offset: number,
    limit: number,
    notBeforeMs: number,
    names?: readonly string[],
  ): Promise<Span & { readonly fits: boolean }> {
    const rows: (CatalogRow | null)[] = [];
    let fetchedAtMs = Number.POSITIVE_INFINITY;
    let fits = true;
    let shortAnswer: number | null = null;
    const end = (atEnd: boolean) => ({
      rows: rows.slice(0, limit),
      atEnd,
      fetchedAtMs: Math.min(fetchedAtMs, Date.now()),
      fits,
    });
    for (let requests = 0; rows.length < limit; ) {
      if (requests >= MAX_PIECES) throw this.misfit();
      const pieces = this.#planPieces(offset, rows.length, limit, shortAnswer);
      let answers: readonly Answer<RowPage>[];
      try {
        const [only] = pieces;
        answers =
          only !== undefined && pieces.length === 1
            ? [await this.#ask(only.offset, only.limit, notBeforeMs, names)]
            : await Promise.all(pieces.map((piece) => this.#ask(piece.offset, piece.limit, notBeforeMs, names)));
      } catch (error) {
        if (!isDepthRefusal(error, offset + rows.length) || names !== undefined) throw error;
        const reached = offset + rows.length;
        this.reachable = Math.max(reached, this.furthestRead());
        return end(true);
      }
      requests += pieces.length;
      const [first] = answers;
      if (requests === 1 && first?.value.rows.length === limit) {
        // Nearly every window: in one piece, and whole.
        return { rows: first.value.rows, atEnd: false, fetchedAtMs: Math.min(first.fetchedAtMs, Date.now()), fits };
      }
      for (const [index, answer] of answers.entries()) {
        const piece = pieces[index];
        if (piece === undefined) continue;
        const got = answer.value.rows;
        fetchedAtMs = Math.min(fetchedAtMs, answer.fetchedAtMs);
        // The beginning once more: a registry that knows no offset has given all it gives.
        if (piece.offset > offset && rows.length > 1 && got.length > 0 && isSameRow(got[0], rows[0])) return end(true);
        const seam = offset + rows.length - piece.offset;
        if (seam > 0) fits &&= got.length > 0 && isSameRow(got[0], rows.at(-1));
        const added = got.slice(seam);
        if (added.length > 0 && shortAnswer !== null) {
          // Rows went on behind a short answer: it was short because the registry gives no more at once.
          this.traits.notePageCap(shortAnswer);
          shortAnswer = null;
        }
        rows.push(...added);
        if (got.length === piece.limit) continue;
        if (added.length === 0 || !this.#mayGoOn(offset + rows.length, got.length, answer.value.totalCount)) {
          this.#noteEnd(offset + rows.length, names !== undefined);
          return end(true);
        }
        shortAnswer = got.length;
        break;
      }
    }
    return end(false);
  }

  /** What is read of it does not fit together, however often it is asked. */
  protected misfit(): RegistryFailure {
    const logDetail = 'its answers at neighbouring offsets do not fit together';
    return new RegistryFailure('PROTOCOL', this.source.info.name, { logDetail });
  }

  /** The end of what was read without a refusal. */
  furthestRead(): number {
    return 0;
  }

  /** The next requests for rows [offset + read, offset + limit). */
  #planPieces(offset: number, read: number, limit: number, shortAnswer: number | null): Piece[] {
    const cap = Math.max(this.traits.pageCap ?? 0, shortAnswer ?? 0);
    const overlap = read > 0 && cap > 1 ? 1 : 0;
    const first = offset + read - overlap;
    const wanted = offset + limit - first;
    if (cap === 0 || cap >= wanted) return [{ offset: first, limit: wanted }];
    const stride = Math.max(1, cap - 1);
    const isCounted = this.totalCount !== null && !this.traits.miscounts && shortAnswer === null;
    const listEnd = isCounted ? (this.totalCount ?? 0) : first + 1;
    const pieces: Piece[] = [];
    for (let at = first; pieces.length < PARALLEL_PIECES; at += stride) {
      pieces.push({ offset: at, limit: Math.min(cap, offset + limit - at) });
      if (at + cap >= offset + limit || at + cap >= listEnd) break;
    }
    return pieces;
  }

  /** Whether rows may follow behind an answer that gave fewer than were asked for. */
  #mayGoOn(reached: number, got: number, totalCount: number | null): boolean {
    const cap = this.traits.pageCap;
    if (totalCount !== null) return reached < totalCount;
    return cap === null || got >= cap;
  }

  #noteEnd(end: number, named: boolean): void {
    if (named || this.totalCount === null || this.totalCount === end) return;
    this.traits.miscounts = true;
    // One window and more that is promised and not given is no slip of the counter: the registry does not go deeper.
    if (this.totalCount > end + this.windowSize && end > 0) this.reachable = end;
  }

  /** The facets of the list, when its beginning was read not long ago; null where the registry sends none. */
  get facets(): SentFacets | null {
    return this.traits.facetsOf(this.list);
  }

  #noteTime(): void {
    const { record } = this;
    if (record.startedMs !== null) record.tookMs = performance.now() - record.startedMs;
  }

  async #ask(offset: number, limit: number, notBeforeMs: number, names?: readonly string[]): Promise<Answer<RowPage>> {
    const { query, criteria, order } = this.list;
    this.record.startedMs ??= performance.now();
    const request = { query, criteria, field: order.field, direction: order.direction, offset, limit };
    let answer: Answer<RowPage>;
    try {
      answer = await this.source.searchRows(names === undefined ? request : { ...request, names }, {
        deadlineMs: this.#deadlineMs,
        notBeforeMs,
        background: this.#background,
      });
    } finally {
      this.#noteTime();
    }
    const { value } = answer;
    const { record } = this;
    record.requests += 1;
    record.malformed += value.malformed;
    record.cache = worseOutcome(record.cache, answer.cache);
    record.staleBecause ??= answer.staleBecause;
    record.oldestFetchMs = Math.min(record.oldestFetchMs ?? Number.POSITIVE_INFINITY, answer.fetchedAtMs);
    record.freshUntilMs = Math.min(record.freshUntilMs, answer.freshUntilMs);
    if (names !== undefined) return answer;
    record.rowsRead += value.rows.length;
    if (answer.fetchedAtMs >= this.#newestCountAtMs) {
      this.#newestCountAtMs = answer.fetchedAtMs;
      this.totalCount = value.totalCount;
    }
    if (value.totalCount !== null && offset + value.rows.length > value.totalCount) this.traits.miscounts = true;
    this.claimsTotalOrder ||= value.claimsTotalOrder;
    if (offset === 0 && value.facets !== null) {
      this.traits.noteFacets(this.list, value.facets, answer.fetchedAtMs);
    }
    return answer;
  }
}

/** A registry that refuses a request only because it goes too deep has said how far it lets itself be read. */
function isDepthRefusal(error: unknown, offset: number): boolean {
  return error instanceof RegistryFailure && error.type === 'INVALID' && offset > 0;
}

/**
 * Pieces of a list that was as long all the while, and that were all fetched by this reading, or all by one before it (which
 * was held to the same).
 */
function areOfOneReading(answers: readonly Answer<RowPage>[], sinceMs: number): boolean {
  const counts = new Set(answers.map(({ value }) => value.totalCount));
  const fresh = answers.filter(({ fetchedAtMs }) => fetchedAtMs >= sinceMs).length;
  return counts.size <= 1 && (fresh === 0 || fresh === answers.length);
}

/** The same entry with the same sort keys: a row whose key changed stands for another state of the list. */
export function isSameRow(left: CatalogRow | null | undefined, right: CatalogRow | null | undefined): boolean {
  if (!left || !right) return left === right;
  return (
    left.name === right.name &&
    left.popularity === right.popularity &&
    left.rating === right.rating &&
    left.updatedAtMs === right.updatedAtMs
  );
}
