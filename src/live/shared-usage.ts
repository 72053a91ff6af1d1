/** What callers use of one process, told to the others, so that their limits hold for all of them together. */
import type { UsageSharing } from '../access/caller-quotas.ts';
import type { EventBus } from '../cluster/event-bus.ts';

/** Over the bus of the cluster. */
export function shareUsage(bus: EventBus): UsageSharing {
  return {
    publish: (reports) => void bus.publish({ kind: 'USAGE', callers: [...reports] }),
    subscribe: (listener) => bus.subscribe('USAGE', ({ callers }) => listener(callers)),
  };
}
