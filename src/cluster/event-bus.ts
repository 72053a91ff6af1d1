import type { ClusterEvent } from './events.ts';

/** How a process tells the others of its gateway what it has learnt; by Redis between machines, or by any other way. */
export interface EventBus {
  /**
   * Tells all others; the teller is not told. Never rejects. Resolves when it is certain that the others will learn of it, or
   * when that takes too long to wait for: it is then told as soon as they can be reached again. What is of the moment
   * (everything but INVALIDATION) may be lost instead.
   */
  publish(event: ClusterEvent): Promise<void>;
  /** Calls the listener for each event of a kind that another process tells. It must not throw. Gives the function that ends it. */
  subscribe<Kind extends ClusterEvent['kind']>(
    kind: Kind,
    listener: (event: Extract<ClusterEvent, { readonly kind: Kind }>) => void,
  ): () => void;
}

/** Who listens to what: the half of a bus that every way of telling needs. */
export class EventListeners {
  readonly #listeners = new Map<ClusterEvent['kind'], Set<(event: ClusterEvent) => void>>();

  readonly subscribe: EventBus['subscribe'] = (kind, listener) => {
    const listen = (event: ClusterEvent): void => {
      if (isOfKind(event, kind)) listener(event);
    };
    const listeners = this.#listeners.get(kind) ?? new Set();
    this.#listeners.set(kind, listeners.add(listen));
    return () => listeners.delete(listen);
  };

  /** Hands an event that came from outside to all who listen to its kind. */
  tell(event: ClusterEvent): void {
    for (const listen of this.#listeners.get(event.kind) ?? []) listen(event);
  }
}

function isOfKind<Kind extends ClusterEvent['kind']>(
  event: ClusterEvent,
  kind: Kind,
): event is Extract<ClusterEvent, { readonly kind: Kind }> {
  return event.kind === kind;
}
