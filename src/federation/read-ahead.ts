/** Asks for the windows that the next page of a walk will need, while whoever walks looks at this one. */
import type { RegistrySource } from '../domain/registry.ts';
import { DrainedStream } from './drained-stream.ts';
import { ListReader } from './list-reader.ts';
import type { Entry, RegistryStream } from './stream.ts';

/** Windows that are read ahead at once, over all walks. */
const MAX_AT_ONCE = 32;
/** A read that has found no spare budget by then is given up: the walk has come there by itself, or has ended. */
const GIVE_UP_MS = 3_000;
/** The answer goes out first. */
const AFTER_ANSWER_MS = 5;
/** A window is read ahead when fewer rows are left than this many pages like the last one take. */
const PAGES_AHEAD = 2;

export class ReadAhead {
  readonly #slowMs: number;
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #timers = new Set<NodeJS.Timeout>();

  /** `slowMs`: a registry that took longer for a page is not asked for more than is needed. */
  constructor(slowMs: number) {
    this.#slowMs = slowMs;
  }

  /**
   * For each registry of a page that has just been made, the window behind those that were read for it, when the next page will
   * come to its end: one at most, in the background, a moment later. A walk that ends here leaves that behind and no more.
   */
  plan(streams: readonly RegistryStream[], entries: readonly Entry[]): void {
    if (this.#underWay.size >= MAX_AT_ONCE) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      try {
        for (const stream of streams) this.#readBehind(stream, entries);
      } catch {
        // A defect here must not end the process: nobody waits for this, and whoever asks for the same will meet it.
      }
    }, AFTER_ANSWER_MS);
    timer.unref();
    this.#timers.add(timer);
  }

  /** Begins nothing more. Settles when nothing is under way. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#underWay.values());
  }

  #readBehind(stream: RegistryStream, entries: readonly Entry[]): void {
    const index = findNextWindow(stream, entries);
    if (index === null || this.#underWay.size >= MAX_AT_ONCE || !this.#isWell(stream)) return;
    const { source, list, windowSize, firstSize, traits } = stream.reader;
    if (traits.pageCap === null && isKept(stream.reader, index)) return;
    const key = JSON.stringify([source.info.name, list, windowSize, firstSize, index]);
    if (this.#underWay.has(key)) return;
    const deadlineMs = performance.now() + GIVE_UP_MS;
    const reader = new ListReader(source, list, windowSize, traits, deadlineMs, { background: true, firstSize });
    const end = () => void this.#underWay.delete(key);
    // What fails here will fail again where somebody waits for it, and be told then.
    this.#underWay.set(key, reader.load(index).then(end, end));
  }

  /** Whether the registry answers as it should, and its answers are kept. */
  #isWell({ reader }: RegistryStream): boolean {
    const { record, source } = reader;
    if (record.tookMs > this.#slowMs || record.staleBecause !== null || record.freshUntilMs <= Date.now()) return false;
    return source.canAnswer() && isUp(source);
  }
}

function isUp(source: RegistrySource): boolean {
  const { status } = source.readHealth();
  return status === 'UP' || status === 'UNKNOWN';
}

/** The window that the stream will need next in its direction, if it will soon; null: none. */
function findNextWindow(stream: RegistryStream, entries: readonly Entry[]): number | null {
  // A list that is read whole has no next window.
  if (stream.state.type !== 'OPEN' || stream instanceof DrainedStream) return null;
  const { buffered, reader } = stream;
  const last = buffered.at(-1);
  if (last === undefined) return null;
  const taken = entries.reduce((sum, entry) => (entry.stream === stream ? sum + 1 : sum), 0);
  if (buffered.length >= taken * PAGES_AHEAD) return null;
  const forward = stream.context.direction === 'FORWARD';
  const offset = forward ? last.hint : last.hint - 1;
  let index = offset < 0 ? -1 : reader.indexOf(offset);
  while (index >= 0 && reader.windows.has(index)) index += forward ? 1 : -1;
  return index >= 0 && mayHold(reader, index) ? index : null;
}

/** Whether the list may go as far, by all that was seen of it. */
function mayHold(reader: ListReader, index: number): boolean {
  const { windows, totalCount, traits, reachable } = reader;
  const start = reader.startOf(index);
  if (windows.get(index - 1)?.atEnd === true) return false;
  if (totalCount !== null && !traits.miscounts && start >= totalCount) return false;
  return reachable === null || start < reachable;
}

/** Whether the window is fresh in memory. */
function isKept(reader: ListReader, index: number): boolean {
  const { source, list } = reader;
  const { query, criteria, order } = list;
  // With the row before it, as a reader asks for it.
  const overlap = index > 0 ? 1 : 0;
  const offset = reader.startOf(index) - overlap;
  const { field, direction } = order;
  return (
    source.peekRows({ query, criteria, field, direction, offset, limit: reader.sizeOf(index) + overlap }) > Date.now()
  );
}
