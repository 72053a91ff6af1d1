/** What requests came with lately, by their bytes: to compare those takes a tenth of what it takes to look for their text. */

/** With the most that a body may have: 256 kB. */
const SLOTS = 64;
const MAX_BYTES = 4096;
/** So many bytes of a body say, with its length, where it is looked for; fewer than twice as many are read. */
const SAMPLES = 32;
const FNV_PRIME = 0x01000193;

interface RecentBody<A> {
  readonly room: string;
  readonly bytes: Uint8Array;
  readonly answer: A;
}

/** Remembers one body in each of a few places, the last that came there. */
export class RecentBodies<A> {
  readonly #slots: (RecentBody<A> | null)[] = new Array(SLOTS).fill(null);

  /** What the same bytes were remembered with, in this room; undefined: they are not remembered. */
  find(room: string, bytes: Buffer): A | undefined {
    if (bytes.byteLength > MAX_BYTES) return undefined;
    const recent = this.#slots[slotOf(bytes)];
    return recent != null && recent.room === room && bytes.equals(recent.bytes) ? recent.answer : undefined;
  }

  /** The bytes are copied: they are a piece of what the connection was read into. */
  remember(room: string, bytes: Buffer, answer: A): void {
    if (bytes.byteLength > MAX_BYTES) return;
    this.#slots[slotOf(bytes)] = { room, bytes: new Uint8Array(bytes), answer };
  }

  /** Forgets all that was remembered with this answer. */
  forget(answer: A): void {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      if (this.#slots[slot]?.answer === answer) this.#slots[slot] = null;
    }
  }
}

function slotOf(bytes: Uint8Array): number {
  const { length } = bytes;
  const step = Math.max(1, Math.floor(length / SAMPLES));
  let print = length;
  for (let at = 0; at < length; at += step) print = Math.imul(print ^ (bytes[at] ?? 0), FNV_PRIME);
  return (print ^ (print >>> 16)) & (SLOTS - 1);
}
