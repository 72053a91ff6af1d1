/**
 * Collapse: of a name that several registries of one namespace carry, only the entry of the first registry in resolution
 * order that has it among the matches is shown. Who else carries a name is known from rows that were read anyway, from the
 * catalogues of names, or asked for: in one batch for each registry and page.
 */
import { RegistryFailure } from '../domain/errors.ts';
import type { CatalogRow } from '../domain/template.ts';
import type { NameCatalog } from './name-catalog.ts';
import type { Entry, RegistryStream } from './stream.ts';

/** What is known of an entry: shown, held back, or to be asked about first. */
export type Verdict = 'KEEP' | 'DROP' | 'ASK';

/** Names in one request: the URL stays below the 8 kB that servers take. */
const NAMES_A_REQUEST = 50;
/** Look-ups at once, of a registry that cannot be asked for many names at a time. */
const PARALLEL_LOOKUPS = 8;

/** What must be known of a row to say whether it is shown: the template is mapped only where a filter looks at it. */
export type ShownRow = Pick<CatalogRow, 'name' | 'template'>;

/** A registry that is asked before others, with what was learnt of it on this page. */
export interface CollapseSource {
  readonly stream: RegistryStream;
  readonly catalog: NameCatalog;
  /** All names among its matches, when the whole list lies in memory; null otherwise. */
  wholeNames(): Pick<ReadonlySet<string>, 'has'> | null;
  /** Names among its matches that were read on this page. */
  readNames(): ReadonlySet<string>;
  /** Names that it was asked about together with its first window, before anybody knew whether the page needs that. */
  readonly namesAhead: readonly string[];
  /** Of these names those among its matches, with their rows. Rejects with RegistryFailure. */
  readNamed(names: readonly string[]): Promise<readonly CatalogRow[]>;
  /** Whether a row or template of it would be shown at all (claims, filters). */
  accepts(row: ShownRow): boolean;
  /** Every name among its matches, read in full; null where it is too long a list. Rejects with RegistryFailure. */
  drainNames(): Promise<ReadonlySet<string> | null>;
}

interface CollapseDecisionsOptions {
  readonly isBrowsing: boolean;
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
  readonly wholeFirstRows: number;
}

export class CollapseDecisions {
  /** How many registries were asked about names, since what was read of them did not tell. */
  #asked = 0;
  /** How many of them have so few matches that a longer first window would have told. */
  #askedWithShortLists = 0;
  /** In resolution order. */
  readonly #sources: readonly CollapseSource[];
  readonly #answers = new Map<CollapseSource, Map<string, boolean>>();
  /** By registry: what it was asked about, and an entry at its turn was decided by. */
  readonly #needed = new Map<string, Set<string>>();
  readonly #silent = new Set<CollapseSource>();
  readonly #deadlineMs: number;
  readonly #isBrowsing: boolean;
  readonly #wholeFirstRows: number;

  /**
   * `isBrowsing`: there is no query text, so whether a template is among the matches can be told from itself. `wholeFirstRows`:
   * the most that a first window has.
   */
  constructor(
    sources: readonly CollapseSource[],
    { isBrowsing, deadlineMs, wholeFirstRows }: CollapseDecisionsOptions,
  ) {
    this.#sources = sources;
    this.#isBrowsing = isBrowsing;
    this.#deadlineMs = deadlineMs;
    this.#wholeFirstRows = wholeFirstRows;
  }

  /** Whether longer first windows would have made all questions needless. Behind those of long lists there is always more. */
  get wantsLongerWindows(): boolean {
    return this.#asked > 0 && this.#asked === this.#askedWithShortLists;
  }

  /** By registry the names whose entries could not be decided on without asking it. */
  get neededAnswers(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#needed;
  }

  /** Of an entry whose turn it is. */
  verdict(entry: Entry): Verdict {
    let verdict: Verdict = 'KEEP';
    for (const source of this.#earlierThan(entry)) {
      const carries = this.#carries(source, entry.name, true);
      if (carries === true) return 'DROP';
      if (carries === null) verdict = 'ASK';
    }
    return verdict;
  }

  /**
   * Asks the earlier registries about the names of all these entries; where `first` of them is what matters now and an answer
   * is on its way that decides it, waits for that alone. Never rejects for a registry's failure.
   */
  async ask(entries: readonly Entry[], first: Entry | null = null): Promise<void> {
    const open = this.#findQuestions(first === null ? entries : [first]);
    const ahead = [...open].filter(([{ namesAhead }, names]) => namesAhead.some((name) => names.has(name)));
    if (ahead.length > 0) {
      await Promise.all(ahead.map(([source]) => this.#askSource(source, source.namesAhead)));
      if (first !== null && this.verdict(first) !== 'ASK') return;
    }
    const questions = this.#findQuestions(entries);
    await Promise.all([...questions].map(([source, names]) => this.#askSource(source, [...names].sort())));
  }

  /** What is not known of the names of these entries, by the registries that know it. */
  #findQuestions(entries: readonly Entry[]): ReadonlyMap<CollapseSource, ReadonlySet<string>> {
    const questions = new Map<CollapseSource, Set<string>>();
    for (const entry of entries) {
      for (const source of this.#earlierThan(entry)) {
        const carries = this.#carries(source, entry.name, false);
        if (carries === true) break;
        if (carries === null) getOrAdd(questions, source, () => new Set<string>()).add(entry.name);
      }
    }
    return questions;
  }

  *#earlierThan(entry: Entry): Iterable<CollapseSource> {
    const { namespace } = entry.stream.reader.source.info;
    for (const source of this.#sources) {
      if (source.stream.rank >= entry.rank) return;
      if (source.stream.reader.source.info.namespace === namespace) yield source;
    }
  }

  /** null: it must be asked. `isTurn`: an entry is decided on by it. */
  #carries(source: CollapseSource, name: string, isTurn: boolean): boolean | null {
    if (source.readNames().has(name)) return true;
    const answered = this.#answers.get(source)?.get(name);
    if (answered !== undefined) {
      if (isTurn) getOrAdd(this.#needed, source.stream.registry.source.info.name, () => new Set<string>()).add(name);
      return answered;
    }
    if (source.stream.state.type === 'LOST' || this.#silent.has(source)) return false;
    const whole = source.wholeNames();
    if (whole !== null) return whole.has(name);
    return source.catalog.mayCarry(name) === false ? false : null;
  }

  async #askSource(source: CollapseSource, names: readonly string[]): Promise<void> {
    const { totalCount } = source.stream.reader;
    this.#asked += 1;
    if (totalCount !== null && totalCount <= this.#wholeFirstRows) this.#askedWithShortLists += 1;
    source.catalog.noteQuestion();
    try {
      const carried = await this.#namesAmongMatches(source, names);
      const answers = getOrAdd(this.#answers, source, () => new Map<string, boolean>());
      if (carried === null) this.#silent.add(source);
      else for (const name of names) answers.set(name, carried.has(name));
    } catch (error) {
      if (!(error instanceof RegistryFailure)) throw error;
      this.#silent.add(source);
    }
  }

  /** null: it cannot be told. */
  async #namesAmongMatches(source: CollapseSource, names: readonly string[]): Promise<ReadonlySet<string> | null> {
    const { reader } = source.stream;
    if (!reader.traits.ignoresNames) {
      const answers = await Promise.all(inBatches(names).map((batch) => source.readNamed(batch)));
      const wanted = new Set(names);
      const rows = answers.flat();
      if (rows.every((row) => wanted.has(row.name))) {
        return new Set(rows.filter((row) => source.accepts(row)).map((row) => row.name));
      }
      reader.traits.ignoresNames = true;
    }
    return this.#isBrowsing ? await this.#lookUpEach(source, names) : await source.drainNames();
  }

  async #lookUpEach(source: CollapseSource, names: readonly string[]): Promise<ReadonlySet<string>> {
    const carried = new Set<string>();
    const waiting = [...names];
    const work = async () => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        const options = { deadlineMs: this.#deadlineMs };
        const { value } = await source.stream.reader.source.fetchTemplate(name, null, options);
        if (value !== null && source.accepts({ name: value.name, template: value })) carried.add(name);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_LOOKUPS }, work));
    return carried;
  }
}

/** As many in each as go into one request; all of them as they are, where they do. */
function inBatches(names: readonly string[]): readonly (readonly string[])[] {
  if (names.length <= NAMES_A_REQUEST) return [names];
  return Array.from({ length: Math.ceil(names.length / NAMES_A_REQUEST) }, (_, index) =>
    names.slice(index * NAMES_A_REQUEST, (index + 1) * NAMES_A_REQUEST),
  );
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
