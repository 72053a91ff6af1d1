/** What one of several processes may ask of a registry, so that all together keep its `rateLimit`. */
import type { Config } from '../config/config.ts';

/**
 * The configuration of one of `count` processes that know nothing of each other's calls: of each registry's limit it has its
 * share. Each may have one call under way, and one in a burst, however many there are.
 */
export function shareLimits(config: Config, count: number): Config {
  const share = (whole: number) => Math.max(1, Math.floor(whole / count));
  const registries = config.registries.map((registry) => {
    const { rateLimit } = registry;
    if (rateLimit === null) return registry;
    const { requestsPerSecond, burst, concurrent, maxQueue } = rateLimit;
    return {
      ...registry,
      rateLimit: {
        requestsPerSecond: requestsPerSecond / count,
        burst: share(burst),
        concurrent: share(concurrent),
        maxQueue: share(maxQueue),
      },
    };
  });
  return { ...config, registries };
}
