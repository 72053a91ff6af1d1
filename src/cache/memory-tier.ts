import { LRUCache } from 'lru-cache';
import type { CachedAnswer } from './cached-answer.ts';

/** The hot tier: answers in memory, bounded in bytes, what was not used for longest leaving first. Nothing in it waits. */
export class MemoryTier {
  readonly #answers: LRUCache<string, CachedAnswer>;
  readonly #maxBytes: number;
  /** One that is taken out only to be put back with another weight. */
  #moving: CachedAnswer | null = null;

  /** `onDrop`: told of each answer that leaves, however. */
  constructor(maxBytes: number, onDrop: (answer: CachedAnswer) => void) {
    this.#maxBytes = maxBytes;
    this.#answers = new LRUCache<string, CachedAnswer>({
      maxSize: maxBytes,
      sizeCalculation: (answer) => answer.weight,
      dispose: (answer) => {
        if (answer !== this.#moving) onDrop(answer);
      },
    });
  }

  get(key: string): CachedAnswer | undefined {
    return this.#answers.get(key);
  }

  /** Without counting as a use. */
  peek(key: string): CachedAnswer | undefined {
    return this.#answers.peek(key);
  }

  /** false: it is larger than all the room there is, and not kept. */
  set(answer: CachedAnswer): boolean {
    if (answer.weight > this.#maxBytes) {
      this.#answers.delete(answer.key);
      return false;
    }
    this.#answers.set(answer.key, answer);
    return true;
  }

  /** To be called when an answer's weight has changed. */
  reweigh(answer: CachedAnswer): void {
    if (this.#answers.peek(answer.key) !== answer) return;
    this.#moving = answer;
    this.#answers.delete(answer.key);
    this.#moving = null;
    if (answer.weight > this.#maxBytes || !this.set(answer)) answer.drop();
  }

  delete(key: string): boolean {
    return this.#answers.delete(key);
  }

  /** The latest used first. */
  list(): CachedAnswer[] {
    return [...this.#answers.values()];
  }

  get weight(): number {
    return this.#answers.calculatedSize;
  }

  get count(): number {
    return this.#answers.size;
  }

  clear(): void {
    this.#answers.clear();
  }
}
