import { RegistryFailure } from '../../src/domain/errors.ts';
import type { Layer } from './layer.ts';
import { Attempt } from './receive.ts';

/**
 * Ends an attempt, connection and all, when it has taken `request.timeoutMs` (the registry's `timeouts`, contract 2) from
 * its start to the last byte of its body. The only clock on an attempt: what a caller waits is another matter, see
 * `cache.ts`.
 */
export function createTimeoutLayer(registryName: string): Layer {
  return (next) => (request) => {
    const attempt = new Attempt();
    let ending: NodeJS.Immediate | undefined;
    // One turn later: when this process was too busy to look, what the registry sent in time is read before it is blamed.
    const timer = setTimeout(() => {
      ending = setImmediate(() => attempt.end(new RegistryFailure('TIMEOUT', registryName)));
    }, request.timeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
      clearImmediate(ending);
    };
    return next({ ...request, attempt }).then(
      (response) => {
        stop();
        return response;
      },
      (error: unknown) => {
        stop();
        throw error;
      },
    );
  };
}
