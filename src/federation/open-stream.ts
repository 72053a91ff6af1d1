/** Chooses how a registry's list is read for one page, and makes the stream that reads it so. */

import type { TemplatePredicate } from '../domain/criteria.ts';
import type { RegistryFailure } from '../domain/errors.ts';
import type { SearchConfig } from '../domain/search.ts';
import type { VisibleRegistry } from './answers.ts';
import { DrainedStream, type Drains } from './drained-stream.ts';
import { KeyedStream } from './keyed-stream.ts';
import { inspectOrder } from './list-order.ts';
import { ListReader } from './list-reader.ts';
import type { ComparePositions } from './order.ts';
import { createRecord, type ReadingRecord } from './reading-record.ts';
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

/**
 * Rows of a list's first window: a page as most ask for it; one more, which tells whether there is a next one; and one that
 * shows that no tie of this one is missing. So many of each registry make the first page of nearly every search, and rows
 * that are not shown are most of what a cold search costs.
 */
const FIRST_WINDOW_ROWS = 22;

/** Of a list whose other windows have `windowSize` rows. */
export function firstSizeOf(windowSize: number): number {
  return Math.min(windowSize, FIRST_WINDOW_ROWS);
}

/** What all streams of one page share. */
export interface PageSetting {
  readonly list: ListQuery;
  readonly search: SearchConfig;
  readonly drains: Drains;
  readonly context: StreamContext;
  readonly forwardCompare: ComparePositions;
  readonly deadlineMs: number;
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

  constructor(registry: VisibleRegistry, start: RegistryStart, traits: RegistryTraits, setting: PageSetting) {
    this.registry = registry;
    this.start = start;
    this.traits = traits;
    this.#setting = setting;
    this.reader = this.#createReader(setting.search.window, firstSizeOf(setting.search.window));
  }

  /** Every reader that read something of this registry for the page. */
  get readers(): readonly ListReader[] {
    return this.#checkedReader === null || this.#checkedReader === this.reader
      ? [this.reader]
      : [this.reader, this.#checkedReader];
  }

  /**
   * Asks at once for the windows that a page of `count` entries over so many registries will need of this one, where it would
   * come to its second window for certain: when there is no other registry, or all first windows together are too short.
   */
  askAhead(count: number, registries: number): void {
    const { list, context, search } = this.#setting;
    const isAtHead = this.start.position === null;
    if (context.direction !== 'FORWARD' || this.failure !== null || (registries > 1 && !isAtHead)) return;
    // One more than the page tells whether there is a next one.
    const rows = Math.ceil((count + 1) / registries);
    const readAs =
      list.order.field === 'RELEVANCE' ? 'TOTAL' : (this.start.readAs ?? this.traits.listOrder(list.order));
    if (readAs === 'UNSORTED' || (readAs !== 'TOTAL' && search.window < ROWS_TO_CHECK)) return;
    // The rows of one key are given out when a row of the next one was seen.
    const { hint } = this.start;
    this.reader.askAhead(hint, hint + rows + (readAs === 'BY_KEY' ? 1 : 0));
  }

  /** Rejects with RegistryFailure when the registry has to be asked first and does not answer. */
  async openStream(): Promise<RegistryStream> {
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
    const readAs = this.readAs ?? (await this.#chooseOrder());
    if (readAs === 'TOTAL' || this.start.readAs === 'TOTAL') {
      const known = weaker(this.traits.listOrder(this.#setting.list.order) ?? 'TOTAL', readAs);
      const stream = this.createTotalStream();
      if (known === 'TOTAL' || (this.start.readAs === 'TOTAL' && (await stream.takeUpAsItIs(known)))) return stream;
      return known === 'BY_KEY' ? this.#openKeyed() : this.#openDrained();
    }
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

  /**
   * A walk goes on as it began. Otherwise: a registry that says it sorts totally is believed as far as its first rows bear
   * it out; of another one only the keys are, and under NAME, where the collation is all there is, not even these.
   */
  async #chooseOrder(): Promise<ListOrder> {
    const { order } = this.#setting.list;
    const begun = this.start.readAs;
    if (begun !== null) return begun;
    const known = this.traits.listOrder(order);
    if (known !== null) return known;
    const reader = this.#readerForChecks();
    const index = reader === this.reader ? reader.indexOf(this.start.hint) : 0;
    const { rows, atEnd } = await reader.load(index);
    const claimed: ListOrder = reader.claimsTotalOrder ? 'TOTAL' : order.field === 'NAME' ? 'UNSORTED' : 'BY_KEY';
    const inspect = (shown: typeof rows) => inspectOrder(shown, order, this.#setting.forwardCompare).seen;
    let seen = inspect(rows);
    // A short window shows too little of keys that nothing is claimed of, and of a collation.
    const isDoubtful = claimed === 'BY_KEY' || (claimed === 'TOTAL' && order.field === 'NAME');
    if (isDoubtful && seen !== 'UNSORTED' && !atEnd && rows.length < ROWS_TO_CHECK) {
      seen = inspect([...rows, ...(await reader.load(index + 1)).rows]);
    }
    this.traits.noteListOrder(order, claimed);
    this.traits.noteListOrder(order, seen);
    return this.traits.listOrder(order) ?? claimed;
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
