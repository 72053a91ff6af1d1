/** The health of registries as a stream: how they are now, then each change. */
import type { VisibleRegistry } from './answers.ts';
import { EventStream } from './event-stream.ts';

/** Tells the names of registries whose health may have changed; gives what ends the telling. */
export type OnHealthChange = (listener: (registryName: string) => void) => () => void;

/**
 * One event at once for each registry, then one for each change of its status or of a circuit's state. What a slow reader has
 * not read yet is one event for each registry, and shows its state when it is read.
 */
export function watchHealth(
  registries: readonly VisibleRegistry[],
  onHealthChange: OnHealthChange,
): EventStream<VisibleRegistry> {
  const watched = new Map(registries.map((registry) => [registry.source.info.name, registry]));
  const told = new Map<string, string>();
  const stopListening = onHealthChange((name) => {
    const registry = watched.get(name);
    if (registry !== undefined) tell(registry);
  });
  const events = new EventStream<VisibleRegistry>(stopListening);
  function tell(registry: VisibleRegistry): void {
    const { name } = registry.source.info;
    const state = describeState(registry);
    if (told.get(name) === state) return;
    told.set(name, state);
    events.put(name, registry);
  }
  for (const registry of registries) tell(registry);
  return events;
}

/** What a change of is told. */
function describeState({ source }: VisibleRegistry): string {
  const { status, circuits } = source.readHealth();
  return [status, ...circuits.map(({ operation, state }) => `${operation} ${state}`)].join();
}
