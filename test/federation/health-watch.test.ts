import { describe, expect, it } from 'vitest';
import type { HealthStatus, RegistryHealth } from '../../src/domain/registry.ts';
import type { VisibleRegistry } from '../../src/federation/answers.ts';
import { watchHealth } from '../../src/federation/health-watch.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';

/** Registries whose health the test sets, and who listens for it. */
function createRegistries(...names: readonly string[]) {
  const health = new Map<string, RegistryHealth>();
  const listeners = new Set<(name: string) => void>();
  const registries: VisibleRegistry[] = names.map((name, index) => {
    const source = new CatalogSource({ name, rank: index, rows: [] });
    return { priority: index + 1, source: Object.assign(source, { readHealth: () => health.get(name) }) };
  });
  function set(name: string, status: HealthStatus, circuit: 'CLOSED' | 'OPEN' = 'CLOSED', latencyMs = 1): void {
    const circuits = [{ operation: 'SEARCH', state: circuit, sinceMs: 0, nextAttemptAtMs: null }] as const;
    const rest = { sinceMs: 0, checkedAtMs: 0, message: null, certificate: null, uptime: null };
    health.set(name, { status, circuits, latencyMs, ...rest });
    for (const listener of listeners) listener(name);
  }
  for (const name of names) set(name, 'UP');
  const onHealthChange = (listener: (name: string) => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return { registries, listeners, set, events: () => watchHealth(registries, onHealthChange) };
}

describe('the health of registries as a stream', () => {
  it('gives every registry at once, then each change of a status or a circuit, and nothing else', async () => {
    const { events, set } = createRegistries('one', 'two');
    const stream = events();
    const read = async () => (await stream.next()).value?.source.info.name;
    expect([await read(), await read()]).toEqual(['one', 'two']);
    const next = read();
    set('two', 'UP', 'CLOSED', 99);
    set('elsewhere', 'DOWN');
    set('one', 'UP', 'OPEN');
    expect(await next).toBe('one');
    set('two', 'DEGRADED');
    expect(await read()).toBe('two');
  });

  it('gives a reader that is slow each registry once, as it is by then', async () => {
    const { events, set } = createRegistries('one', 'two');
    const stream = events();
    for (let round = 0; round < 1000; round += 1) {
      set('one', 'DOWN');
      set('two', 'DOWN');
      set('one', 'DEGRADED');
      set('two', 'UP');
    }
    const [first, second] = [await stream.next(), await stream.next()];
    expect(first.value?.source.readHealth().status).toBe('DEGRADED');
    expect(second.value?.source.readHealth().status).toBe('UP');
    const nothing = Symbol('nothing');
    expect(await Promise.race([stream.next(), Promise.resolve(nothing)])).toBe(nothing);
  });

  it('stops listening when it is left', async () => {
    const { events, listeners } = createRegistries('one');
    const streams = Array.from({ length: 50 }, () => events());
    expect(listeners.size).toBe(50);
    for (const stream of streams) await stream.return();
    expect(listeners.size).toBe(0);
  });
});
