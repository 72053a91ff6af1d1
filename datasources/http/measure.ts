import { RegistryFailure } from '../../src/domain/errors.ts';
import type { Layer, UpstreamObserver } from './layer.ts';

/** Reports each attempt: what it took and how it ended. Stands inside retry, so that requests are what a registry saw. */
export function createMeasureLayer(observer: UpstreamObserver): Layer {
  return (next) => async (request) => {
    const startedAtMs = performance.now();
    observer.onAttemptStart();
    let failure: RegistryFailure | null = null;
    try {
      return await next(request);
    } catch (error) {
      if (error instanceof RegistryFailure) failure = error;
      throw error;
    } finally {
      observer.onAttemptEnd(performance.now() - startedAtMs, failure);
    }
  };
}
