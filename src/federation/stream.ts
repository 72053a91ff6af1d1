/**
 * One registry's list as a sorted stream of entries, read from a place in either direction. What differs between registries
 * (sorted totally, by key only, not at all, or by relevance) is in the subclasses; what is the same for all is here.
 */
import type { RegistryFailure } from '../domain/errors.ts';
import type { CatalogRow } from '../domain/template.ts';
import type { VisibleRegistry } from './answers.ts';
import { hashText } from './bytes.ts';
import type { ListReader } from './list-reader.ts';
import type { ComparePositions, Position } from './order.ts';

/** A row that passed claims and filters, with its place in the order. */
export interface Entry extends Position {
  readonly row: CatalogRow;
  readonly stream: RegistryStream;
  /** Where to look for the place after this entry (forwards): an offset of the registry's list. A hint, checked on use. */
  readonly hint: number;
  /** The gateway's relevance, 0..65535; null where nothing was scored. */
  readonly relevance: number | null;
}

export type Direction = 'FORWARD' | 'BACKWARD';

/** What every stream of one page is given. */
export interface StreamContext {
  readonly direction: Direction;
  /** In the direction of the walk: what comes first compares less. */
  readonly compare: ComparePositions;
  /** Whether a row may be shown at all (claims, filters); counts what it refuses. */
  accepts(row: CatalogRow, stream: RegistryStream): boolean;
  /** Rows read at most for this page of a registry whose rows are mostly filtered out here. */
  readonly scanRows: number;
}

/** Where a stream begins. `position` null: from the end that the walk starts at. */
export interface StreamStart {
  readonly position: Position | null;
  readonly hint: number;
  /** A fingerprint of the row before `hint`, as it was when the hint was made; null: not known. */
  readonly rowHash: number | null;
}

export type StreamState =
  | { readonly type: 'OPEN' }
  /** Nothing more in this direction. */
  | { readonly type: 'ENDED' }
  /** The scan bound is reached: nothing behind `barrier` may be shown on this page. */
  | { readonly type: 'BOUNDED'; readonly barrier: Position }
  /** Lost at `position` (null: before anything was consumed): frozen there until the registry answers again. */
  | { readonly type: 'LOST'; readonly failure: RegistryFailure; readonly position: Position | null };

export abstract class RegistryStream {
  readonly registry: VisibleRegistry;
  readonly reader: ListReader;
  readonly rank: number;
  readonly start: StreamStart;
  state: StreamState = { type: 'OPEN' };
  /** Rows that were refused by claims or filters while reading for this page. */
  refused = 0;
  readonly context: StreamContext;
  #buffer: readonly Entry[] = [];
  #next = 0;

  constructor(registry: VisibleRegistry, reader: ListReader, start: StreamStart, context: StreamContext) {
    this.registry = registry;
    this.reader = reader;
    this.rank = registry.priority - 1;
    this.start = start;
    this.context = context;
  }

  /** Reads on until there are entries, or the state says why there are none. Rejects with RegistryFailure. */
  protected abstract readOn(): Promise<readonly Entry[] | 'END' | { readonly barrier: Position }>;

  /** Where the walk would go on if every buffered entry were consumed; for the hint of the page's last cursor. */
  abstract get nextHint(): number;

  /** The first entry not consumed; null when more must be read first, or there is none. */
  get head(): Entry | null {
    return this.#buffer[this.#next] ?? null;
  }

  /** Entries that are read and not consumed, in walk order. */
  get buffered(): readonly Entry[] {
    return this.#next === 0 ? this.#buffer : this.#buffer.slice(this.#next);
  }

  /** Whether `fill` has work to do before this stream's head is known. */
  get wantsRows(): boolean {
    return this.state.type === 'OPEN' && this.#next >= this.#buffer.length;
  }

  consume(): void {
    this.#next += 1;
  }

  /**
   * Makes the head known, or the state final. Never rejects for a registry's failure: the stream is then LOST at `mark`,
   * the last place that the page has reached.
   */
  async fill(mark: () => Position | null, asFailure: (error: unknown) => RegistryFailure): Promise<void> {
    try {
      const result = await this.readOn();
      if (result === 'END') this.state = { type: 'ENDED' };
      else if ('barrier' in result) this.state = { type: 'BOUNDED', barrier: result.barrier };
      else {
        this.#buffer = result;
        this.#next = 0;
      }
    } catch (error) {
      this.state = { type: 'LOST', failure: asFailure(error), position: this.#reached(mark()) };
    }
  }

  /**
   * Reads on until so many entries are buffered, the list ends or a bound is reached. A failure is not kept: `fill` meets it
   * again when these entries are used up, and knows then where the page stands.
   */
  async readAhead(count: number, asFailure: (error: unknown) => RegistryFailure): Promise<void> {
    while (this.state.type === 'OPEN' && this.#buffer.length - this.#next < count) {
      try {
        const result = await this.readOn();
        if (result === 'END') this.state = { type: 'ENDED' };
        else if ('barrier' in result) this.state = { type: 'BOUNDED', barrier: result.barrier };
        else {
          this.#buffer = [...this.buffered, ...result];
          this.#next = 0;
        }
      } catch (error) {
        asFailure(error);
        return;
      }
    }
  }

  /** Its own start, unless the page has come further: everything of this stream up to there was consumed. */
  #reached(mark: Position | null): Position | null {
    const { position } = this.start;
    if (mark === null) return position;
    if (this.#consumedNothing()) return position;
    return position === null || this.context.compare(mark, position) > 0 ? mark : position;
  }

  #consumedNothing(): boolean {
    return this.#buffer.length === 0;
  }
}

/** A short fingerprint of a row (FNV-1a over its name, folded to 16 bits, never 0): enough to tell neighbours apart. */
export function hashRow(row: CatalogRow | null | undefined): number | null {
  if (row === null || row === undefined) return null;
  const hash = hashText(row.name);
  // Cursors keep 0 for "not known".
  return ((hash >>> 16) ^ hash) & 0xffff || 1;
}
