import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A heap that has grown by less than this is not worth a pause of a tenth of a second, though nobody waits. */
const WORTH_BYTES = 32 * 1024 * 1024;

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

let collect: Collect | null = null;
/** What the heap held of the system's memory when the last was given back. */
let heldBytes = 0;

/**
 * Gives back to the system what V8's heap holds and does not use: after a busy time that is most of the process's memory,
 * and V8 keeps it however long it is idle. Takes about a tenth of a second: for times when nobody waits.
 */
export function giveHeapBack(): void {
  if (getHeapStatistics().total_physical_size - heldBytes < WORTH_BYTES) return;
  collect ??= findCollect();
  collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  heldBytes = getHeapStatistics().total_physical_size;
}

/** V8 shows its collection of garbage only where it is told to, and only to contexts that are made afterwards. */
function findCollect(): Collect | null {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('typeof gc === "function" ? gc : null');
  setFlagsFromString('--no-expose-gc');
  return typeof found === 'function' ? (options) => void Reflect.apply(found, undefined, [options]) : null;
}
