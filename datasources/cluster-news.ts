/** What the processes of one gateway tell each other of registries, so that what one finds out the others need not. */
import type { EventBus } from '../src/cluster/event-bus.ts';
import type { CircuitView, HealthChange } from '../src/domain/registry.ts';
import type { Upstream } from './http/chain.ts';
import type { Lender } from './http/shared-account.ts';

export interface Sharing {
  /** Has the accounts of rate limits. */
  readonly lender: Lender;
  readonly bus: EventBus;
}

/** Tells that calls have been found to fail, or to do so no longer. A try of a circuit that is open is no news. */
export function tellCircuit(
  sharing: Sharing | null | undefined,
  registry: string,
  { operation, state }: CircuitView,
): void {
  if (state === 'HALF_OPEN' || operation === 'PUBLISH') return;
  void sharing?.bus.publish({ kind: 'CIRCUIT', registry, operation, state });
}

/** Tells that a registry asked to be left alone. */
export function tellPause(sharing: Sharing | null | undefined, budget: string, durationMs: number): void {
  void sharing?.bus.publish({ kind: 'PAUSE', budget, durationMs: Math.min(durationMs, 86_400_000) });
}

/** Tells that a check has found a registry to be there, or not, other than the check before it. */
export function tellHealth(
  sharing: Sharing | null | undefined,
  registry: string,
  { previousStatus, health: { status } }: HealthChange,
): void {
  const isReachable = status !== 'DOWN';
  if (previousStatus === 'UNKNOWN' || isReachable === (previousStatus !== 'DOWN')) return;
  void sharing?.bus.publish({ kind: 'HEALTH', registry, isReachable });
}

/**
 * Takes what others find for a reason to look, and not for the truth: their way to the registry may be broken alone. Of a
 * circuit one call decides, of health a check. Gives the function that ends it.
 */
export function followNews(
  sharing: Sharing | null | undefined,
  upstream: Pick<Upstream, 'identity' | 'tryNext' | 'pauseFor'>,
  checkSoon: () => void,
): () => void {
  if (sharing == null) return () => undefined;
  const { identity } = upstream;
  const { bus } = sharing;
  const ends = [
    bus.subscribe('CIRCUIT', ({ registry, operation, state }) => {
      if (registry !== identity) return;
      upstream.tryNext(operation, state);
      checkSoon();
    }),
    bus.subscribe('HEALTH', ({ registry }) => {
      if (registry === identity) checkSoon();
    }),
    bus.subscribe('PAUSE', ({ budget, durationMs }) => {
      if (budget === identity) upstream.pauseFor(durationMs);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
