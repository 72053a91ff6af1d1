/** Chooses how a registry's list is read for one page, and makes the stream that reads it so. */

import type { TemplatePredicate } from '../domain/criteria.ts';
import type { RegistryFailure } from '../domain/errors.ts';
import type { SearchConfig } from '../domain/search.ts';
import type { CatalogRow } from '../domain/template.ts';
import type { VisibleRegistry } from './answers.ts';
import { DrainedStream, type Drains } from './drained-stream.ts';
import { wholeFirstRowsOf } from './first-window.ts';
import { KeyedStream } from './keyed-stream.ts';
import { inspectOrder } from './list-order.ts';
import { ListReader } from './list-reader.ts';
import type { ComparePositions } from './order.ts';
import type { PageHabits } from './page-habits.ts';
import { addToRecord, createRecord, type ReadingRecord } from './reading-record.ts';
import type { CompiledQuery } from './relevance.ts';
import { RelevanceStream } from './relevance-stream.ts';
import type { ListQuery } from './span-reader.ts';
import type { RegistryStream, StreamContext } from './stream.ts';
import { TotalStream } from './total-stream.ts';
import { type ListOrder, type RegistryTraits, weaker } from './traits.ts';
import type { RegistryStart } from './walk.ts';

/**
 * Rows that a registry's sorting is checked on before it is believed, unless it claims a total order by a key, which is
 * checked as it is read. With smaller windows than this a list is looked at once in a window of this size.
 */
const ROWS_TO_CHECK = 50;

/** What all streams of one page share. */
export interface PageSetting {
  readonly list: ListQuery;
  readonly search: SearchConfig;
  readonly drains: Drains;
  readonly context: StreamContext;
  readonly forwardCompare: ComparePositions;
  readonly deadlineMs: number;
  /** Rows of the first window of each registry's list. */
  readonly firstRows: number;
  readonly collapse: boolean;
  /** Of first pages over the same registries. */
  readonly habits: PageHabits;
  /** When the page was begun, on the clock of `Date.now()`. */
  readonly sinceMs: number;
  /** What the criteria ask of a template; null: nothing. */
  readonly passes: TemplatePredicate | null;
  /** RELEVANCE only. */
  readonly query: { readonly compiled: CompiledQuery; readonly text: string } | null;
}

/** One registry's part in a page: its readers stay when the page has to start again, so that nothing is read twice. */
export class Participant {
  readonly registry: VisibleRegistry;
  readonly start: RegistryStart;
  readonly traits: RegistryTraits;
  readonly record: ReadingRecord = createRecord();
  /** Reads in windows of the configured size. */
  readonly reader: ListReader;
  /** How the list must be read, when this page has found that out. */
  readAs: ListOrder | null = null;
  /** It has failed before anything of it was shown on this page: it is not asked again for this page. */
  failure: RegistryFailure | null = null;
  readonly #setting: PageSetting;
  #checkedReader: ListReader | null = null;
  #ahead: NamesAhead | null = null;

  constructor(registry: VisibleRegistry, start: RegistryStart, traits: RegistryTraits, setting: PageSetting) {
    this.registry = registry;
    this.start = start;
    this.traits = traits;
    this.#setting = setting;
    this.reader = this.#createReader(setting.search.window, this.#chooseFirstSize());
  }

  /** Rows of the first window: as many as one registry alone may fill a page with, where this one mostly does. */
  #chooseFirstSize(): number {
    const { list, search, firstRows, habits, collapse } = this.#setting;
    // The order of a walk by relevance depends on its windows: they stay as they are.
    if (list.order.field === 'RELEVANCE') return firstRows;
    const isWhole = this.traits.ignoresOffset || this.#isFilling || (collapse && habits.wantsLongerWindows.isHigh);
    return isWhole ? wholeFirstRowsOf(search.window) : firstRows;
  }

  /** Takes note of whether the first window was enough for a page that began at the head of the list. */
  noteFirstPage(stream: RegistryStream, taken: number): void {
    const { habits, firstRows } = this.#setting;
    habits.noteUse(this.registry.source.info.name, taken + stream.refused >= firstRows);
  }

  get #isFilling(): boolean {
    return this.#setting.habits.isFilledBy(this.registry.source.info.name);
  }

  /** Every reader that read something of this registry for the page. */
  get readers(): readonly ListReader[] {
    return this.#checkedReader === null || this.#checkedReader === this.reader
      ? [this.reader]
      : [this.reader, this.#checkedReader];
  }

  /**
   * Asks at once for the windows that a page of `count` entries over so many registries will need of this one, where it would
   * come to its second window for certain: when there is no other registry, or all first windows together are too short; and
   * where pages have mostly needed it of late.
   */
  askAhead(count: number, registries: number): void {
    const { list, context, search } = this.#setting;
    const isAtHead = this.start.position === null;
    if (context.direction !== 'FORWARD' || this.failure !== null || (registries > 1 && !isAtHead)) return;
    // One more than the page tells whether there is a next one.
    const rows = Math.ceil((count + 1) / registries);
    const readAs = list.order.field === 'RELEVANCE' ? 'TOTAL' : this.#knownOrder;
    if (readAs === 'UNSORTED' || (readAs !== 'TOTAL' && search.window < ROWS_TO_CHECK)) return;
    // The rows of one key are given out when a row of the next one was seen.
    const { hint } = this.start;
    const needed = isAtHead && this.#isFilling ? wholeFirstRowsOf(search.window) : rows;
    this.reader.askAhead(hint, hint + Math.max(rows, needed) + (readAs === 'BY_KEY' ? 1 : 0));
  }

  /** Names that it was asked about before the page was known to need that; in order. */
  get namesAhead(): readonly string[] {
    return this.#ahead?.names ?? [];
  }

  /**
   * Asks, from the registry's spare budget alone, about the names that pages over the same registries have mostly needed to
   * know of: where its first window is asked for as well, or the answer is there already.
   */
  askNamesAhead(): void {
    const { habits, context, list, deadlineMs, search } = this.#setting;
    if (context.direction !== 'FORWARD' || this.start.position !== null) return;
    const { source } = this.registry;
    const names = habits.questions.expectedOf(source.info.name);
    if (names.length === 0 || this.#ahead !== null || this.failure !== null || this.traits.ignoresNames) return;
    const { field, direction } = list.order;
    const asked = { query: list.query, criteria: list.criteria, field, direction, offset: 0 };
    const isWindowKept = source.peekRows({ ...asked, limit: this.reader.firstSize }) > 0;
    if (isWindowKept && source.peekRows({ ...asked, limit: names.length, names }) === 0) return;
    const record = createRecord();
    const reader = new ListReader(source, list, search.window, this.traits, deadlineMs, { record, background: true });
    this.#ahead = new NamesAhead(names, reader.readNamed(names), record);
  }

  /** Of these names those among the matches, with their rows. Rejects with RegistryFailure. */
  async readNamed(names: readonly string[]): Promise<readonly CatalogRow[]> {
    const ahead = names === this.#ahead?.names ? this.#ahead : null;
    // A call that is still under way, or waits for spare budget, is joined, and waits no longer than any other one.
    if (ahead === null || ahead.rows === null) return await this.reader.readNamed(names);
    addToRecord(this.record, ahead.record);
    return ahead.rows;
  }

  /** A promise where the registry has to be asked first; it rejects with RegistryFailure when that does not answer. */
  openStream(): RegistryStream | Promise<RegistryStream> {
    if (this.failure !== null) {
      const stream = this.createTotalStream();
      stream.state = { type: 'LOST', failure: this.failure, position: this.start.position };
      return stream;
    }
    const { query } = this.#setting;
    if (query !== null) {
      const maxRows = this.#setting.search.drain.rows;
      return new RelevanceStream(this.registry, this.reader, this.start, this.#setting.context, query, maxRows);
    }
    const readAs = this.readAs ?? this.#knownOrder;
    return readAs === null ? this.#inspectOrder().then((seen) => this.#openAs(seen)) : this.#openAs(readAs);
  }

  #openAs(readAs: ListOrder): RegistryStream | Promise<RegistryStream> {
    const isBegunAsTotal = this.start.readAs === 'TOTAL';
    if (readAs !== 'TOTAL' && !isBegunAsTotal) return this.#openWeaker(readAs);
    const known = weaker(this.traits.listOrder(this.#setting.list.order) ?? 'TOTAL', readAs);
    if (known !== 'TOTAL' && !isBegunAsTotal) return this.#openWeaker(known);
    const stream = this.createTotalStream();
    if (known === 'TOTAL') return stream;
    return stream.takeUpAsItIs(known).then((isTakenUp) => (isTakenUp ? stream : this.#openWeaker(known)));
  }

  #openWeaker(readAs: ListOrder): RegistryStream {
    return readAs === 'BY_KEY' ? this.#openKeyed() : this.#openDrained();
  }

  /** Takes note of how the list must be read instead. Says whether that is weaker than before. */
  readWeaker(found: ListOrder): boolean {
    const before = this.readAs;
    this.readAs = weaker(before ?? found, found);
    if (this.readAs === 'BY_KEY' && this.#setting.list.order.field === 'NAME') this.readAs = 'UNSORTED';
    return this.readAs !== before;
  }

  /** A stream that is there to be LOST: the registry failed before it was known how to read it. */
  createTotalStream(): TotalStream {
    const { context, forwardCompare } = this.#setting;
    return new TotalStream(this.registry, this.reader, this.start, context, { forwardCompare, groupRows: 0 });
  }

  #openKeyed(): RegistryStream {
    const { context, forwardCompare, search } = this.#setting;
    const reader = this.#readerForChecks();
    const groupRows = Math.min(search.drain.rows, search.drain.requests * reader.windowSize);
    return new KeyedStream(this.registry, reader, this.start, context, { forwardCompare, groupRows });
  }

  #openDrained(): RegistryStream {
    const { drains, forwardCompare, deadlineMs, sinceMs, search } = this.#setting;
    const shared = { drains, forwardCompare, deadlineMs, sinceMs, limits: search.drain };
    return new DrainedStream(this.registry, this.reader, this.start, this.#setting.context, shared);
  }

  /** A walk goes on as it began. Otherwise: as the registry was found to sort; null: it was not looked at yet. */
  get #knownOrder(): ListOrder | null {
    return this.start.readAs ?? this.traits.listOrder(this.#setting.list.order);
  }

  /**
   * A registry that says it sorts totally is believed as far as its first rows bear it out; of another one only the keys are,
   * and under NAME, where the collation is all there is, not even these.
   */
  async #inspectOrder(): Promise<ListOrder> {
    const { order } = this.#setting.list;
    const reader = this.#readerForChecks();
    const index = reader === this.reader ? reader.indexOf(this.start.hint) : 0;
    const first = await reader.load(index);
    const claimed: ListOrder = reader.claimsTotalOrder ? 'TOTAL' : order.field === 'NAME' ? 'UNSORTED' : 'BY_KEY';
    // A short window shows too little of keys that nothing is claimed of, and of a collation.
    const isDoubtful = claimed === 'BY_KEY' || (claimed === 'TOTAL' && order.field === 'NAME');
    const seen = await this.#inspectList(reader, index, isDoubtful ? ROWS_TO_CHECK : first.rows.length);
    this.traits.noteListOrder(order, claimed);
    this.traits.noteListOrder(order, seen);
    return this.traits.listOrder(order) ?? claimed;
  }

  /** What so many rows from a window on show of the list's order, or fewer where it is unsorted or ends before. */
  async #inspectList(reader: ListReader, index: number, count: number): Promise<ListOrder> {
    const rows: (CatalogRow | null)[] = [];
    for (let at = index; ; at += 1) {
      const window = await reader.load(at);
      rows.push(...window.rows);
      const { seen } = inspectOrder(rows, this.#setting.list.order, this.#setting.forwardCompare);
      if (seen === 'UNSORTED' || window.atEnd || rows.length >= count) return seen;
    }
  }

  #readerForChecks(): ListReader {
    this.#checkedReader ??=
      this.#setting.search.window >= ROWS_TO_CHECK ? this.reader : this.#createReader(ROWS_TO_CHECK);
    return this.#checkedReader;
  }

  #createReader(windowSize: number, firstSize = windowSize): ListReader {
    const { list, deadlineMs } = this.#setting;
    const options = { record: this.record, firstSize };
    return new ListReader(this.registry.source, list, windowSize, this.traits, deadlineMs, options);
  }
}

/** A question that was asked before its answer was needed. */
class NamesAhead {
  readonly names: readonly string[];
  /** null: they are not there, or not yet. */
  rows: readonly CatalogRow[] | null = null;
  /** What nobody needed is no part of a report. */
  readonly record: ReadingRecord;

  constructor(names: readonly string[], answer: Promise<readonly CatalogRow[]>, record: ReadingRecord) {
    this.names = names;
    this.record = record;
    answer.then(
      (rows) => {
        this.rows = rows;
      },
      () => undefined, // Where it is needed it is asked again, and its failure met.
    );
  }
}
