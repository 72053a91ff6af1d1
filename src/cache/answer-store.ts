import Keyv from 'keyv';
import { LRUCache } from 'lru-cache';

/** A value in the store weighs at least this: its key and the bookkeeping. */
const ENTRY_OVERHEAD_BYTES = 512;

/** What knows its own weight, so that the store can be bounded in bytes. */
interface Weighed {
  readonly sizeBytes: number;
}

/** A cache of answers, kept as the objects they are. Whoever reads one shares the object and must not change it. */
export interface AnswerStore {
  /** undefined: not there, or the store is out of order. */
  get(key: string): Promise<unknown>;
  /** `keepMs`: how long it may be kept at all; when it is fresh is the caller's own affair. */
  set(key: string, value: Weighed, keepMs: number): Promise<void>;
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Makes the in-process store: keyv's interface over a least-recently-used map that is bounded in bytes. keyv's
 * serialisation is off: a value is kept as the object it is, for a clone through JSON costs more than a call to a near
 * registry. `onError` is told when the store fails; keyv then answers as if nothing were there.
 */
export function createAnswerStore(maxBytes: number, onError: (error: unknown) => void): AnswerStore {
  const keyv = new Keyv<Weighed>({ store: createByteBoundedMap(maxBytes), serialization: false });
  keyv.on('error', onError);
  return {
    get: (key) => keyv.get(key),
    async set(key, value, keepMs) {
      if (keepMs > 0) await keyv.set(key, value, keepMs);
    },
    async delete(key) {
      await keyv.delete(key);
    },
    async close() {
      await keyv.clear();
      await keyv.disconnect();
    },
  };
}

/** keyv wraps what it keeps, and its adapter for maps once more: the weight is the innermost value's. */
interface Kept {
  readonly value: { readonly value: Weighed };
}

/** The part of Map that keyv asks of an in-process store. Expiry is keyv's; what expired leaves when room is needed. */
function createByteBoundedMap(maxBytes: number) {
  const kept = new LRUCache<string, Kept>({
    maxSize: maxBytes,
    sizeCalculation: (entry, key) => entry.value.value.sizeBytes + key.length * 2 + ENTRY_OVERHEAD_BYTES,
  });
  return {
    get: (key: string) => kept.get(key),
    set: (key: string, value: Kept) => void kept.set(key, value),
    has: (key: string) => kept.has(key),
    delete: (key: string) => kept.delete(key),
    clear: () => kept.clear(),
  };
}
