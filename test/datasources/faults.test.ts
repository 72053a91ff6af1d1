import { describe, expect, it } from 'vitest';
import { FAULT_OUTCOMES } from '../helpers/fault-outcomes.ts';
import { FAULT_MODES, type FaultMode } from '../helpers/faulty-registry.ts';
import { createTestAuthority } from '../helpers/faulty-registry-certificates.ts';
import { failureOf, makeRows, openFaultySource } from '../helpers/faulty-registry-source.ts';

/** No bound of time but the attempt's own, which is short enough for a test. */
const CONFIG = { timeouts: { search: 400, template: 400 }, cache: { search: 0 } } as const;

function nameOf(mode: FaultMode): string {
  if (typeof mode === 'string') return mode;
  return 'status' in mode ? `status ${mode.status}` : `slow ${mode.slowMs}`;
}

const CASES = FAULT_MODES.filter((mode) => mode !== 'bad-rows').map((mode) => [nameOf(mode), mode] as const);

describe('a fault of a registry is told as what it is', () => {
  it('has an expectation for every fault there is', () => {
    expect(CASES.map(([name]) => name).sort()).toEqual(Object.keys(FAULT_OUTCOMES).sort());
  });

  it.each(CASES)('%s, with nothing in the cache', async (name, mode) => {
    await using faulty = await openFaultySource({ rows: makeRows(120) }, CONFIG);
    await faulty.registry.setMode(mode);
    for (const offset of [0, 50]) {
      const failure = await failureOf(faulty.search({ offset }));
      if (offset === 0 || mode === 'refused') expect(failure.type).toBe(FAULT_OUTCOMES[name]?.type);
      expect(failure.registryName).toBe('faulty');
    }
  });

  it.each(CASES)('%s, with an old answer in the cache', async (name, mode) => {
    await using faulty = await openFaultySource({ rows: makeRows(120) }, CONFIG);
    const pages = [await faulty.search({ offset: 0 }), await faulty.search({ offset: 50 })];
    await faulty.registry.setMode(mode);
    for (const [index, page] of pages.entries()) {
      const call = faulty.search({ offset: index * 50 });
      if (FAULT_OUTCOMES[name]?.stale) {
        const answer = await call;
        expect(answer).toMatchObject({ cache: 'STALE', fetchedAtMs: page.fetchedAtMs });
        expect(answer.value).toEqual(page.value);
        expect(answer.staleBecause?.type).toBe(FAULT_OUTCOMES[name]?.type);
      } else {
        expect((await failureOf(call)).type).toBe(FAULT_OUTCOMES[name]?.type);
      }
    }
  });

  it.each(CASES)('%s, for a look-up by name', async (name, mode) => {
    await using faulty = await openFaultySource({ rows: makeRows(3) }, CONFIG);
    await faulty.registry.setMode(mode);
    const call = faulty.source.fetchTemplate('template-00001', null, { deadlineMs: performance.now() + 5_000 });
    if (name === 'status 404') expect((await call).value).toBeNull();
    else expect((await failureOf(call)).type).toBe(FAULT_OUTCOMES[name]?.type);
  });

  it.each(CASES)('%s, and its message holds no address and nothing of what the registry said', async (_, mode) => {
    await using faulty = await openFaultySource({}, CONFIG);
    await faulty.registry.setMode(mode);
    const view = JSON.stringify((await failureOf(faulty.search())).toView());
    expect(view).not.toMatch(/127\.0\.0\.1|localhost|upstream secret text|sign in|http/i);
  });
});

describe('an entry that is malformed', () => {
  it('costs its own row alone, and is counted', async () => {
    await using faulty = await openFaultySource({ rows: makeRows(9), mode: 'bad-rows' }, CONFIG);
    const { value } = await faulty.search();
    expect(value.malformed).toBe(4);
    expect(value.rows.map((row) => row?.name ?? null)).toEqual([
      'template-00000',
      null,
      'template-00002',
      null,
      'template-00004',
      null,
      'template-00006',
      null,
      'template-00008',
    ]);
  });
});

describe('a redirect', () => {
  it('within the origin is followed', async () => {
    await using faulty = await openFaultySource({ mode: 'redirect-same-origin' }, CONFIG);
    expect((await faulty.search()).value.rows).toHaveLength(3);
  });

  it('to another origin takes neither the request nor the credentials there', async () => {
    const credentials = { type: 'token', token: 'a-secret' } as const;
    await using faulty = await openFaultySource({}, { ...CONFIG, credentials });
    await faulty.registry.setMode('redirect-elsewhere');
    await failureOf(faulty.search());
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
    expect(faulty.registry.arrivalsAt()[0]?.headers.host).toBe(`127.0.0.1:${faulty.registry.port}`);
  });
});

describe('a certificate', () => {
  const authority = createTestAuthority();
  const tls = { ca: authority.ca, cert: null, key: null, servername: null };

  it('of the configured authority is trusted, and shown', async () => {
    await using faulty = await openFaultySource({ tls: { authority } }, { ...CONFIG, tls });
    expect((await faulty.search()).value.rows).toHaveLength(3);
    expect(faulty.source.readHealth().certificate).toMatchObject({
      subject: 'faulty-registry',
      issuer: 'Faulty Registry Test Authority',
    });
  });

  it.each(['wrong-certificate', 'expired-certificate'] as const)('is refused: %s', async (mode) => {
    await using faulty = await openFaultySource({ tls: { authority }, mode }, { ...CONFIG, tls });
    expect((await failureOf(faulty.search())).type).toBe('TLS');
    expect(faulty.registry.arrivals).toHaveLength(0);
    expect(faulty.source.readHealth().status).toBe('DOWN');
  });

  it('of an unknown authority is refused', async () => {
    await using faulty = await openFaultySource({ tls: { authority } }, CONFIG);
    expect((await failureOf(faulty.search())).type).toBe('TLS');
  });

  it('is checked for the configured server name', async () => {
    const named = { ...tls, servername: 'registry.test' };
    await using faulty = await openFaultySource({ tls: { authority } }, { ...CONFIG, tls: named });
    expect((await faulty.search()).value.rows).toHaveLength(3);
    const misnamed = { ...tls, servername: 'other.test' };
    await using other = await openFaultySource({ tls: { authority } }, { ...CONFIG, tls: misnamed });
    expect((await failureOf(other.search())).type).toBe('TLS');
  });

  it('of the gateway itself is shown to a registry that asks for one', async () => {
    const server = { tls: { authority, requestCert: true } };
    await using without = await openFaultySource(server, { ...CONFIG, tls });
    // TLS 1.3 tells a client after its handshake: either the alert arrives first or the end of the connection.
    expect(['TLS', 'CONNECTION']).toContain((await failureOf(without.search())).type);
    expect(without.registry.arrivals).toHaveLength(0);
    const client = authority.issue({ commonName: 'gateway' });
    await using shown = await openFaultySource(server, { ...CONFIG, tls: { ...tls, ...client } });
    expect((await shown.search()).value.rows).toHaveLength(3);
  });
});
