import { RegistryFailure } from '../../src/domain/errors.ts';
import type { Layer, UpstreamObserver } from './layer.ts';

/** Reports each attempt: what it took and how it ended. Stands inside retry, so that requests are what a registry saw. */
export function createMeasureLayer(observer: UpstreamObserver): Layer {
  return (next) => (request) => {
    const startedAtMs = performance.now();
    observer.onAttemptStart();
    return next(request).then(
      (response) => {
        observer.onAttemptEnd(performance.now() - startedAtMs, null);
        return response;
      },
      (error: unknown) => {
        observer.onAttemptEnd(performance.now() - startedAtMs, error instanceof RegistryFailure ? error : null);
        throw error;
      },
    );
  };
}
