/** What is other in one configuration than in another. */
import type { Config } from '../config/config.ts';

/** Keys of the configuration, and variables, that are looked at once, when the process starts. */
const AT_START: Readonly<Record<string, (config: Config) => unknown>> = {
  HOST: ({ server }) => server.host,
  PORT: ({ server }) => server.port,
  MARKETPLACE_DATA: ({ dataDirectory }) => dataDirectory,
  LOG_LEVEL: ({ logLevel }) => logLevel,
  REDIS_URL: ({ redisUrl }) => redisUrl,
  DATABASE_URL: ({ storage }) => storage,
  // Cursors are sealed by another at once. What is signed for others and for later is so by that of the start.
  'server.secret': ({ server }) => server.secrets,
  'server.admin': ({ server }) => server.admin,
  'server.cache.memory': ({ server }) => server.cache.memory,
  'server.cache.disk': ({ server }) => server.cache.disk,
};

/** Those that would be other after a restart. */
export function findRestartKeys(started: Config, next: Config): readonly string[] {
  return Object.entries(AT_START)
    .filter(([, read]) => JSON.stringify(read(started)) !== JSON.stringify(read(next)))
    .map(([key]) => key);
}

/** For the log: which registries came, went and changed, and which other parts are not what they were. */
export function describeChange(before: Config, after: Config) {
  const known = new Map(before.registries.map((registry) => [registry.name, JSON.stringify(registry)]));
  const names = new Set(after.registries.map(({ name }) => name));
  const { registries: _, ...partsBefore } = before;
  const { registries: __, ...partsAfter } = after;
  return {
    added: after.registries.filter(({ name }) => !known.has(name)).map(({ name }) => name),
    removed: before.registries.filter(({ name }) => !names.has(name)).map(({ name }) => name),
    changed: after.registries
      .filter((registry) => known.has(registry.name) && known.get(registry.name) !== JSON.stringify(registry))
      .map(({ name }) => name),
    parts: Object.entries(partsAfter)
      .filter(([part, value]) => JSON.stringify(value) !== JSON.stringify(Reflect.get(partsBefore, part)))
      .map(([part]) => part),
  };
}

/** The same in words, for the record: "added: hub", "other parts: auth, server". */
export function listChanges(before: Config, after: Config): readonly string[] {
  const { parts, ...registries } = describeChange(before, after);
  return Object.entries({ ...registries, 'other parts': parts })
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what}: ${names.join(', ')}`);
}
