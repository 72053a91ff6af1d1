import { describe, expect, it } from 'vitest';
import { type OpenRegistries, openRegistries } from '../../datasources/registries.ts';
import type { HealthChange } from '../../src/domain/registry.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { createTestAuthority } from '../helpers/faulty-registry-certificates.ts';
import { configureRegistry } from '../helpers/faulty-registry-config.ts';
import { failureOf, openFaultySource } from '../helpers/faulty-registry-source.ts';

const DAY_MS = 86_400_000;
const isHealth = (path: string) => path.endsWith('/health');
const isSearch = (path: string) => path.endsWith('/search');

/** Resolves with the first change that fits, of those that come from now on. */
function whenChanged(opened: OpenRegistries, fits: (change: HealthChange) => boolean): Promise<HealthChange> {
  return new Promise((resolve) => {
    const stop = opened.onHealthChange((change) => {
      if (!fits(change)) return;
      stop();
      resolve(change);
    });
  });
}

describe('the health of a registry', () => {
  it('is unknown before the first check, and says so', async () => {
    await using registry = await startFaultyRegistry({ mode: 'hang' });
    const opened = openRegistries([configureRegistry(registry.url)]);
    expect(opened.sources[0]?.readHealth()).toMatchObject({
      ...{ status: 'UNKNOWN', checkedAtMs: null, latencyMs: null, uptime: null },
      message: 'It was not checked yet. Look again in a moment.',
    });
    await opened.close();
  });

  it('goes down and up again with its checks, since the moment it did, with the share of good ones as its uptime', async () => {
    let nowMs = 1_000_000_000;
    await using faulty = await openFaultySource({}, { health: { interval: 20 } }, { now: () => nowMs });
    expect(faulty.source.readHealth()).toMatchObject({ status: 'UP', message: null, uptime: 1, checkedAtMs: nowMs });
    const down = whenChanged(faulty.opened, ({ health }) => health.status === 'DOWN');
    nowMs += 1_000;
    await faulty.registry.setMode({ status: 500 });
    expect(await down).toMatchObject({
      ...{ registryName: 'faulty', previousStatus: 'UP', circuit: null },
      health: {
        sinceMs: nowMs,
        message:
          'The registry "faulty" failed with an error of its own. It has a fault of its own. Ask whoever runs it.',
      },
    });
    const up = whenChanged(faulty.opened, ({ health }) => health.status === 'UP');
    nowMs += 1_000;
    await faulty.registry.setMode('ok');
    const { health } = await up;
    expect(health).toMatchObject({ sinceMs: nowMs, message: null });
    expect(health.uptime).toBeGreaterThan(0);
    expect(health.uptime).toBeLessThan(1);
    nowMs += 2 * DAY_MS;
    expect(faulty.source.readHealth().uptime).toBeNull();
  });

  it('is degraded where a check takes too long', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 40 } }, { health: { degradedLatency: 30 } });
    const { status, message, latencyMs } = faulty.source.readHealth();
    expect(status).toBe('DEGRADED');
    expect(latencyMs).toBeGreaterThanOrEqual(30);
    expect(message).toMatch(/^It is slow: its last check took \d+ ms, 30 ms or more are too many\./);
  });

  it('is degraded while calls of users fail more often than is allowed, also where the check is well', async () => {
    const config = { circuit: { volumeThreshold: 1_000 }, cache: { search: 0, staleIfError: 0 } };
    await using faulty = await openFaultySource({}, { ...config, health: { interval: 20 } });
    for (let offset = 0; offset < 12; offset += 1) await faulty.search({ offset });
    await faulty.registry.setMode({ status: 500 }, isSearch);
    const degraded = whenChanged(faulty.opened, ({ health }) => health.status === 'DEGRADED');
    for (let offset = 0; offset < 4; offset += 1) await failureOf(faulty.search({ offset }));
    const { health } = await degraded;
    expect(health.message).toMatch(/^\d+ % of its 1\d calls failed in the last minute, 10 % or more are too many\./);
  });

  it('is degraded and not down where its health page alone fails', async () => {
    await using faulty = await openFaultySource({}, { cache: { search: 0 }, health: { interval: 20 } });
    await faulty.search();
    const changed = whenChanged(faulty.opened, ({ health }) => health.status !== 'UP');
    await faulty.registry.setMode({ status: 500 }, isHealth);
    let offset = 0;
    const searching = setInterval(() => void faulty.search({ offset: offset++ }).catch(() => undefined), 2);
    const { health } = await changed;
    clearInterval(searching);
    expect(health.status).toBe('DEGRADED');
    expect(health.message).toContain('Calls of users succeed all the same.');
  });

  it('is told to whoever listens, a change of a circuit too, until they stop', async () => {
    const config = { circuit: { volumeThreshold: 2 }, cache: { search: 0, staleIfError: 0 } };
    await using faulty = await openFaultySource({}, config);
    const changes: HealthChange[] = [];
    const stop = faulty.opened.onHealthChange((change) => changes.push(change));
    await faulty.registry.setMode({ status: 500 });
    for (let offset = 0; offset < 2; offset += 1) await failureOf(faulty.search({ offset }));
    expect(changes).toMatchObject([
      {
        ...{ registryName: 'faulty', previousStatus: 'UP', circuit: { operation: 'SEARCH', state: 'OPEN' } },
        health: {
          status: 'DEGRADED',
          circuits: [{ state: 'OPEN' }, { state: 'CLOSED' }, { state: 'CLOSED' }, { state: 'CLOSED' }],
        },
      },
    ]);
    stop();
    const lookUp = () => faulty.source.fetchTemplate('a', null, { deadlineMs: Number.POSITIVE_INFINITY });
    for (let attempt = 0; attempt < 2; attempt += 1) await failureOf(lookUp());
    expect(faulty.source.readHealth().circuits).toMatchObject([{ state: 'OPEN' }, { state: 'OPEN' }, {}, {}]);
    expect(changes).toHaveLength(1);
  });

  it('costs the registry nothing to be read', async () => {
    await using faulty = await openFaultySource();
    faulty.registry.forgetArrivals();
    for (let reading = 0; reading < 100; reading += 1) {
      faulty.source.readHealth();
      faulty.source.readMetrics(3_600_000);
    }
    await faulty.search();
    expect(faulty.registry.arrivals.map(({ path }) => path)).toEqual(['/api/v1/search']);
  });
});

describe('the checks of a registry', () => {
  it('need no room in its limits, and count as no calls of users', async () => {
    const rateLimit = { requestsPerSecond: 1, burst: 1, concurrent: 1, maxQueue: 0 };
    await using faulty = await openFaultySource({}, { rateLimit, health: { interval: 10 } });
    await faulty.registry.whenArrived(5, '/health');
    await faulty.search();
    expect(faulty.source.readMetrics(60_000)).toMatchObject({ requests: 1, rateLimitHits: 0 });
  });

  it('open the circuits of a registry that nobody answers at, so that no user waits to find out', async () => {
    await using faulty = await openFaultySource({ mode: 'refused' }, { health: { interval: 10 } });
    await whenChanged(faulty.opened, ({ circuit }) => circuit?.state === 'OPEN');
    expect(await failureOf(faulty.search())).toMatchObject({ type: 'CIRCUIT_OPEN' });
    expect(faulty.source.readHealth().status).toBe('DOWN');
    expect(faulty.source.readMetrics(60_000).requests).toBe(0);
  });

  it('close them when it is seen well again, long before they would be tried', async () => {
    const config = { health: { interval: 10 }, circuit: { resetTimeout: 600_000 } };
    await using faulty = await openFaultySource({ mode: 'refused' }, config);
    await whenChanged(faulty.opened, ({ circuit }) => circuit?.state === 'OPEN');
    const up = whenChanged(faulty.opened, ({ health }) => health.status === 'UP');
    await faulty.registry.setMode('ok');
    const { health } = await up;
    expect(health.circuits.map(({ state }) => state)).toEqual(['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED']);
    expect((await faulty.search()).value.rows).toHaveLength(3);
  });

  it('leave a circuit open that only calls of users opened', async () => {
    const config = { circuit: { volumeThreshold: 2, resetTimeout: 600_000 }, cache: { search: 0, staleIfError: 0 } };
    await using faulty = await openFaultySource({}, { ...config, health: { interval: 10 } });
    await faulty.registry.setMode({ status: 500 }, isSearch);
    for (let offset = 0; offset < 2; offset += 1) await failureOf(faulty.search({ offset }));
    faulty.registry.forgetArrivals();
    await faulty.registry.whenArrived(4, '/health');
    expect(faulty.source.readHealth()).toMatchObject({
      status: 'DEGRADED',
      circuits: [{ state: 'OPEN' }, {}, {}, {}],
    });
  });
});

describe('the certificate of a registry', () => {
  const authority = createTestAuthority();
  const trusted = { tls: { ca: authority.ca, cert: null, key: null, servername: null } };
  const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);

  it('is shown as it was presented, also where it is refused', async () => {
    const validity = { validFrom: inDays(-91), validTo: inDays(-1) };
    await using faulty = await openFaultySource({ tls: { authority, validity } }, trusted);
    const { status, certificate, message } = faulty.source.readHealth();
    expect(status).toBe('DOWN');
    expect(message).toMatch(/Its certificate expired on \d{4}-\d{2}-\d{2}\. Ask whoever runs it to renew it\.$/);
    expect(certificate).toMatchObject({ subject: 'faulty-registry', issuer: 'Faulty Registry Test Authority' });
    expect(Math.abs((certificate?.validToMs ?? 0) - validity.validTo.getTime())).toBeLessThan(1_000);
    expect(Math.abs((certificate?.validFromMs ?? 0) - validity.validFrom.getTime())).toBeLessThan(1_000);
  });

  it('is warned about once at 30, 14 and 3 days, and then makes the registry degraded', async () => {
    let aheadMs = 0;
    const warned: unknown[] = [];
    const logger = {
      info: () => undefined,
      warn: (detail: object) => void ('thresholdDays' in detail && warned.push(detail)),
    };
    const tls = { authority, validity: { validFrom: inDays(-50), validTo: inDays(40.5) } };
    const options = { now: () => Date.now() + aheadMs, logger };
    await using faulty = await openFaultySource({ tls }, { ...trusted, health: { interval: 5 } }, options);
    const seen: (readonly [number, number, string])[] = [];
    for (const days of [1, 11, 20, 27, 38]) {
      aheadMs = days * DAY_MS;
      faulty.registry.forgetArrivals();
      await faulty.registry.whenArrived(3, '/health');
      seen.push([days, warned.length, faulty.source.readHealth().status]);
    }
    expect(seen).toEqual([
      [1, 0, 'UP'],
      [11, 1, 'UP'],
      [20, 1, 'UP'],
      [27, 2, 'UP'],
      [38, 3, 'DEGRADED'],
    ]);
    expect(warned).toMatchObject([
      { registry: 'faulty', subject: 'faulty-registry', thresholdDays: 30, daysRemaining: 29 },
      { thresholdDays: 14, daysRemaining: 13 },
      { thresholdDays: 3, daysRemaining: 2 },
    ]);
    expect(faulty.source.readHealth().message).toMatch(
      /^Its certificate expires on .*, in 2 days\. Ask whoever runs it/,
    );
  });

  it('is looked at anew though the connection is kept, so that a renewal shows', async () => {
    let aheadMs = 0;
    const tls: NonNullable<Parameters<typeof openFaultySource>[0]>['tls'] & object = { authority };
    const options = { now: () => Date.now() + aheadMs };
    await using faulty = await openFaultySource({ tls }, { ...trusted, health: { interval: 5 } }, options);
    const before = faulty.source.readHealth().certificate?.validToMs ?? 0;
    tls.validity = { validFrom: inDays(-1), validTo: inDays(20) };
    faulty.registry.renewCertificate();
    faulty.registry.forgetArrivals();
    await faulty.registry.whenArrived(2, '/health');
    expect(faulty.source.readHealth().certificate?.validToMs).toBe(before);
    aheadMs = 2 * 3_600_000;
    faulty.registry.forgetArrivals();
    await faulty.registry.whenArrived(3, '/health');
    expect(faulty.source.readHealth().certificate?.validToMs).toBeGreaterThan(before + 5 * DAY_MS);
  });

  it('that was issued for a week is no warning from its first day on', async () => {
    const warned: object[] = [];
    const logger = { info: () => undefined, warn: (detail: object) => void warned.push(detail) };
    await using faulty = await openFaultySource({ tls: { authority } }, trusted, { logger });
    expect(faulty.source.readHealth().status).toBe('UP');
    expect(warned).toEqual([]);
  });
});
