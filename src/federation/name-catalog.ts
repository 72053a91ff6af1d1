/**
 * Which names a registry carries at all: a set that is listed in the background, so that collapse asks a registry only
 * about names that it really may have.
 */
import type { CacheInvalidation } from '../domain/cache.ts';
import type { Answer, RegistrySource, RowPage } from '../domain/registry.ts';
import { NO_CRITERIA } from '../domain/search.ts';
import { hashText } from './bytes.ts';
import { ListReader } from './list-reader.ts';
import { relaySource } from './relayed-source.ts';
import type { RegistryTraits } from './traits.ts';

/** Questions after which listing a registry pays: a list of 10,000 names costs about 40 requests. */
const QUESTIONS_BEFORE_LISTING = 8;
const NAMES_A_REQUEST = 250;
/** Larger registries are asked each time: 50,000 names take about 2 MB. */
const MAX_NAMES = 50_000;
/** After a listing that failed. */
const PAUSE_MS = 60_000;
/** How long one request may stand in the queue for spare budget. */
const LONGEST_WAIT_MS = 60_000;
/** Between two listings that nobody's questions call for. */
const UNASKED_PAUSE_MS = 15 * 60_000;

export class NameCatalog {
  readonly #source: RegistrySource;
  readonly #traits: RegistryTraits;
  readonly #now: () => number;
  readonly #lifetimeMs: number;
  /** Fingerprints of 32 bits: a name that collides is asked about needlessly, never missed. */
  #names: Set<number> | null = null;
  #listedAtMs = 0;
  #listedCount = 0;
  #questions = 0;
  #nextListingMs = 0;
  #nextUnaskedMs = 0;
  /** What was fetched before then is of another list than the registry has now. */
  #changedAtMs = 0;
  #listing: Promise<void> | null = null;
  /** What became known since the listing that is under way began; null: what it brings is not to be believed. */
  #addedMeanwhile: Set<number> | null = new Set();

  /** `lifetimeMs`: how long a list is believed. `now`: the wall clock, milliseconds. */
  constructor(source: RegistrySource, traits: RegistryTraits, lifetimeMs: number, now: () => number) {
    this.#source = source;
    this.#traits = traits;
    this.#now = now;
    this.#lifetimeMs = lifetimeMs;
  }

  /** false: the registry does not carry the name; true: it may; null: not known, it must be asked. */
  mayCarry(name: string): boolean | null {
    if (this.#names === null || this.#now() - this.#listedAtMs > this.#lifetimeMs) return null;
    return this.#names.has(hashText(name));
  }

  /** Forgets the list when the registry counts other than was listed: names came or went. */
  noteTotalCount(totalCount: number | null): void {
    if (totalCount === null || this.#names === null || totalCount === this.#listedCount || this.#listedAtMs === 0)
      return;
    this.#listedAtMs = 0;
    this.#changedAtMs = this.#now();
  }

  /**
   * Takes note of what the cache of answers forgets, since the list was read through it. A template that is there now is added
   * to the list, so that it is asked about at once; where it is not said what is there now the list is forgotten.
   */
  noteChange({ layer, template, after }: CacheInvalidation): void {
    if (layer !== undefined && layer !== 'SEARCH' && layer !== 'CATALOG') return;
    if (template === undefined || after === undefined) {
      this.#names = null;
      this.#addedMeanwhile = null;
    } else if (after !== 'ABSENT') this.#add(hashText(after.name));
  }

  #add(name: number): void {
    this.#addedMeanwhile?.add(name);
    if (this.#names === null || this.#names.has(name)) return;
    this.#names.add(name);
    this.#listedCount += 1;
  }

  /** Counts a question that a list would have spared; lists the registry in the background when it pays. */
  noteQuestion(): void {
    this.#questions += 1;
    if (this.#questions < QUESTIONS_BEFORE_LISTING || this.#listing !== null || this.#now() < this.#nextListingMs)
      return;
    this.#questions = 0;
    void this.#begin(this.#source);
  }

  /**
   * Lists the registry before questions call for it, unless its list is believed or that was tried not long ago. `through`: the
   * same registry, which its calls go to. Resolves when it is done, however that ended.
   */
  async listEarly(through: RegistrySource): Promise<void> {
    if (this.#listing !== null) return await this.#listing;
    const isBelieved = this.#names !== null && this.#now() - this.#listedAtMs <= this.#lifetimeMs;
    if (isBelieved || this.#lifetimeMs === 0 || this.#now() < Math.max(this.#nextListingMs, this.#nextUnaskedMs))
      return;
    this.#nextUnaskedMs = this.#now() + UNASKED_PAUSE_MS;
    await this.#begin(through);
  }

  #begin(source: RegistrySource): Promise<void> {
    this.#nextListingMs = this.#now() + PAUSE_MS;
    const listing = this.#list(source).finally(() => {
      this.#listing = null;
    });
    this.#listing = listing;
    return listing;
  }

  /** Settles when no listing is under way. */
  async whenIdle(): Promise<void> {
    await this.#listing;
  }

  async #list(source: RegistrySource): Promise<void> {
    this.#addedMeanwhile = new Set();
    const list = { query: '', criteria: NO_CRITERIA, order: { field: 'NAME', direction: 'ASC' } } as const;
    let oldestMs = this.#now();
    const names = sourceOfNames(source, this.#changedAtMs, ({ value, fetchedAtMs }) => {
      if (value.totalCount !== null && value.totalCount > MAX_NAMES) throw new RangeError('it carries too many names');
      oldestMs = Math.min(oldestMs, fetchedAtMs);
    });
    const reader = new ListReader(names, list, NAMES_A_REQUEST, this.#traits, Number.POSITIVE_INFINITY, {
      background: true,
    });
    try {
      const { rows, isWhole } = await reader.readBeginning(MAX_NAMES, MAX_NAMES / NAMES_A_REQUEST);
      if (!isWhole || this.#addedMeanwhile === null) return;
      const listed = rows.flatMap((row) => (row === null ? [] : [hashText(row.name)]));
      this.#names = new Set([...listed, ...this.#addedMeanwhile]);
      this.#listedCount = reader.totalCount ?? rows.length;
      this.#listedAtMs = oldestMs;
    } catch {
      this.#names = null; // The registry does not let itself be listed now: it is asked instead, and listed again later.
    }
  }
}

/** The registry, asked for rows for their names alone. `onAnswer` is told of each answer, and may throw to end the reading. */
function sourceOfNames(
  source: RegistrySource,
  sinceMs: number,
  onAnswer: (answer: Answer<RowPage>) => void,
): RegistrySource {
  const relayed = relaySource(source, (call, options) => {
    const notBeforeMs = Math.max(sinceMs, options.notBeforeMs ?? 0);
    return call({ ...options, deadlineMs: performance.now() + LONGEST_WAIT_MS, notBeforeMs, purpose: 'NAMES' });
  });
  return {
    ...relayed,
    async searchRows(request, options) {
      const answer = await relayed.searchRows(request, options);
      onAnswer(answer);
      return answer;
    },
  };
}
