/** Slabs are of this size; what is larger than a quarter of one has a slab of its own. */
const SLAB_BYTES = 1024 * 1024;
const LARGE_BYTES = SLAB_BYTES / 4;
/** Empty slabs that are kept for the next bytes. */
const SPARE_SLABS = 4;
/** Slabs may hold this many times what lives in them, and a few more, before the emptiest is cleared. */
const MOST_SPARSE = 1.25;
/** A slab that is fuller than this is not worth moving. */
const WORTH_MOVING = 0.5;

/** Bytes in a slab. They may move: look at them through `view` each time. */
export interface Slice {
  readonly length: number;
}

class Placed implements Slice {
  slab: Slab;
  offset: number;
  readonly length: number;
  isLive = true;
  /** While somebody reads them elsewhere (another thread) they stay where they are. */
  pins = 0;

  constructor(slab: Slab, offset: number, length: number) {
    this.slab = slab;
    this.offset = offset;
    this.length = length;
  }
}

class Slab {
  readonly bytes: Buffer;
  readonly size: number;
  slices: Placed[] = [];
  usedBytes = 0;
  liveBytes = 0;

  constructor(size: number) {
    // Resizable, so that the memory is mapped by itself: it costs the garbage collector nothing, does not lie scattered over
    // the heap of malloc, which never gives it back, and goes back to the system at once by `resize`.
    this.bytes = Buffer.from(new ArrayBuffer(size, { maxByteLength: size }), 0, size);
    this.size = size;
  }

  release(): void {
    const { buffer } = this.bytes;
    if (buffer instanceof ArrayBuffer) buffer.resize(0);
  }
}

/**
 * Memory for very many bodies of some kilobytes that come and go. Kept as buffers of their own they pin what they were read
 * into and leave malloc's heap in shreds: after 100,000 answers four times the memory of what is kept.
 */
export class Slabs {
  readonly #slabs = new Set<Slab>();
  readonly #spare: Slab[] = [];
  #current: Slab | null = null;
  #liveBytes = 0;
  #heldBytes = 0;

  /** What is held of the system's memory. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Keeps a copy. */
  store(bytes: Uint8Array): Slice {
    const { length } = bytes;
    const slab = length > LARGE_BYTES ? this.#map(length) : this.#slabWithRoom(length);
    const slice = new Placed(slab, slab.usedBytes, length);
    slab.bytes.set(bytes, slab.usedBytes);
    slab.slices.push(slice);
    slab.usedBytes += length;
    slab.liveBytes += length;
    this.#liveBytes += length;
    return slice;
  }

  /** The bytes themselves, until the next call of `store` or `free`; longer between `pin` and `unpin`. */
  view(slice: Slice): Buffer {
    if (!(slice instanceof Placed) || !slice.isLive) throw new RangeError('bytes that were freed must not be read');
    return slice.slab.bytes.subarray(slice.offset, slice.offset + slice.length);
  }

  pin(slice: Slice): void {
    if (slice instanceof Placed) slice.pins += 1;
  }

  unpin(slice: Slice): void {
    if (!(slice instanceof Placed)) return;
    slice.pins -= 1;
    if (!slice.isLive && slice.pins === 0) this.#leave(slice);
  }

  /** Bytes that are pinned stay readable for whoever pinned them. */
  free(slice: Slice): void {
    if (!(slice instanceof Placed) || !slice.isLive) return;
    slice.isLive = false;
    if (slice.pins === 0) this.#leave(slice);
  }

  /** Clears slabs that are half empty, and gives all that are empty back to the system. */
  trim(): void {
    for (const slab of this.#slabs) this.#clear(slab, WORTH_MOVING);
    for (const slab of this.#spare.splice(0)) this.#unmap(slab);
  }

  #leave(slice: Placed): void {
    const { slab, length } = slice;
    slab.liveBytes -= length;
    this.#liveBytes -= length;
    if (slab.liveBytes === 0) this.#empty(slab);
    else if (this.#heldBytes > this.#liveBytes * MOST_SPARSE + SPARE_SLABS * 2 * SLAB_BYTES) this.#clearEmptiest();
  }

  #empty(slab: Slab): void {
    slab.slices = [];
    slab.usedBytes = 0;
    if (slab === this.#current) return;
    this.#slabs.delete(slab);
    if (slab.size === SLAB_BYTES && this.#spare.length < SPARE_SLABS) this.#spare.push(slab);
    else this.#unmap(slab);
  }

  #clearEmptiest(): void {
    let emptiest: Slab | null = null;
    for (const slab of this.#slabs) {
      if (emptiest === null || slab.liveBytes / slab.size < emptiest.liveBytes / emptiest.size) emptiest = slab;
    }
    if (emptiest !== null) this.#clear(emptiest, WORTH_MOVING);
  }

  /** Moves what lives in a slab elsewhere, when that is at most this share of it. */
  #clear(slab: Slab, mostLive: number): void {
    if (slab === this.#current || slab.liveBytes > slab.size * mostLive) return;
    if (slab.slices.some((slice) => slice.pins > 0)) return;
    for (const slice of slab.slices) {
      if (!slice.isLive) continue;
      const target = this.#slabWithRoom(slice.length);
      slab.bytes.copy(target.bytes, target.usedBytes, slice.offset, slice.offset + slice.length);
      slice.slab = target;
      slice.offset = target.usedBytes;
      target.slices.push(slice);
      target.usedBytes += slice.length;
      target.liveBytes += slice.length;
    }
    slab.slices = [];
    slab.liveBytes = 0;
    this.#empty(slab);
  }

  #slabWithRoom(length: number): Slab {
    const current = this.#current;
    if (current !== null && current.usedBytes + length <= current.size) return current;
    const next = this.#spare.pop() ?? this.#map(SLAB_BYTES);
    this.#slabs.add(next);
    this.#current = next;
    if (current !== null && current.liveBytes === 0) this.#empty(current);
    return next;
  }

  #map(size: number): Slab {
    const slab = new Slab(size);
    this.#slabs.add(slab);
    this.#heldBytes += size;
    return slab;
  }

  #unmap(slab: Slab): void {
    slab.release();
    this.#heldBytes -= slab.size;
  }
}
