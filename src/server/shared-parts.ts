/** What several configurations need with equal settings: it is one for all of them, and is closed with the last. */
interface Closable {
  close(): Promise<void>;
}

export interface TakenPart<T> {
  readonly part: T;
  /** It is not needed here any more. */
  release(): Promise<void>;
}

export class SharedParts<T extends Closable> {
  /** By their settings. */
  readonly #open = new Map<string, { readonly part: T; users: number }>();

  /** The part with these settings, which JSON must tell apart; opened where nobody has it. Throws what `open` throws. */
  take(settings: unknown, open: () => T): TakenPart<T> {
    const key = JSON.stringify(settings);
    const shared = this.#open.get(key) ?? { part: open(), users: 0 };
    this.#open.set(key, shared);
    shared.users += 1;
    return {
      part: shared.part,
      release: async () => {
        shared.users -= 1;
        if (shared.users > 0) return;
        this.#open.delete(key);
        await shared.part.close();
      },
    };
  }
}
