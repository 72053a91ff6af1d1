import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallOptions, RegistrySource } from '../../src/domain/registry.ts';
import { NO_CRITERIA } from '../../src/domain/search.ts';
import { BROWSE } from '../helpers/row-request.ts';

/** A registry under test, holding `CONTRACT_TEMPLATES`. */
export interface SourceUnderContract extends AsyncDisposable {
  readonly source: RegistrySource;
  /** Resolves when its first health check ended. */
  whenTriedOnce(): Promise<void>;
}

/** What a registry must hold before the contract is tried on it: wire objects of the marketplace protocol. */
export const CONTRACT_TEMPLATES = [
  {
    name: 'climate/ocean-model',
    version: '1.0.0',
    title: 'Ocean model',
    description: 'Couples an ocean to an atmosphere.',
    category: 'climate',
    updated_at: '2024-01-01T00:00:00Z',
    marketplace: { downloads: 50, rating: 4.5 },
  },
  {
    name: 'Genomics-Basics',
    version: '2.1.0',
    title: 'Genomics basics',
    description: 'Aligns reads and calls variants.',
    category: 'genomics',
    complexity: 'simple',
    keywords: ['dna'],
    updated_at: '2024-03-01T00:00:00Z',
    marketplace: { downloads: 200, rating: 3.5, verified: true },
  },
  {
    name: 'genomics-advanced',
    version: '0.9.0',
    title: 'Genomics, advanced',
    description: 'Assembles genomes.',
    category: 'genomics',
    updated_at: '2024-02-01T00:00:00Z',
    marketplace: { downloads: 200 },
  },
] as const;

/** What every kind of registry must keep, whatever speaks behind it. */
export function describeRegistryContract(name: string, makeSource: () => Promise<SourceUnderContract>): void {
  describe(`${name} keeps the contract of a registry`, () => {
    let subject: SourceUnderContract;
    const soon = (): CallOptions => ({ deadlineMs: performance.now() + 5_000 });

    beforeEach(async () => {
      subject = await makeSource();
    });
    afterEach(() => subject[Symbol.asyncDispose]());

    it('gives its rows in the asked order, with their positions', async () => {
      const { value } = await subject.source.searchRows(BROWSE, soon());
      expect(value.rows.map((row) => row?.name)).toEqual([
        'climate/ocean-model',
        'genomics-advanced',
        'Genomics-Basics',
      ]);
      expect(value.malformed).toBe(0);
      expect(value.totalCount).toBe(3);
    });

    it('gives any part of the list', async () => {
      const { value } = await subject.source.searchRows({ ...BROWSE, offset: 1, limit: 1 }, soon());
      expect(value.rows.map((row) => row?.name)).toEqual(['genomics-advanced']);
      const beyond = await subject.source.searchRows({ ...BROWSE, offset: 40, limit: 10 }, soon());
      expect(beyond.value.rows).toEqual([]);
    });

    it('says of each row what ordering needs', async () => {
      const { value } = await subject.source.searchRows({ ...BROWSE, field: 'UPDATED', direction: 'DESC' }, soon());
      expect(
        value.rows.map((row) => [row?.nameLower, row?.version, row?.popularity, row?.rating, row?.updatedAtMs]),
      ).toEqual([
        ['genomics-basics', '2.1.0', 200, 3.5, Date.UTC(2024, 2, 1)],
        ['genomics-advanced', '0.9.0', 200, null, Date.UTC(2024, 1, 1)],
        ['climate/ocean-model', '1.0.0', 50, 4.5, Date.UTC(2024, 0, 1)],
      ]);
    });

    it('maps a row to its template once, in the name of the registry', async () => {
      const { value } = await subject.source.searchRows({ ...BROWSE, offset: 2, limit: 1 }, soon());
      const row = value.rows[0];
      expect(row?.template).toMatchObject({
        registryName: subject.source.info.name,
        name: 'Genomics-Basics',
        title: 'Genomics basics',
        complexity: 'SIMPLE',
        keywords: ['dna'],
        downloads: 200,
        verified: true,
      });
      expect(row?.template).toBe(row?.template);
    });

    it('finds by words and by filter', async () => {
      const found = await subject.source.searchRows({ ...BROWSE, query: 'variants', field: 'RELEVANCE' }, soon());
      expect(found.value.rows.map((row) => row?.name)).toContain('Genomics-Basics');
      const filtered = await subject.source.searchRows(
        { ...BROWSE, criteria: { ...NO_CRITERIA, categories: ['climate'] } },
        soon(),
      );
      expect(filtered.value.rows.map((row) => row?.name)).toEqual(['climate/ocean-model']);
    });

    it('gives a template by name, slashes and all, and by version', async () => {
      const newest = await subject.source.fetchTemplate('climate/ocean-model', null, soon());
      expect(newest.value).toMatchObject({ name: 'climate/ocean-model', version: '1.0.0', rating: 4.5 });
      const asked = await subject.source.fetchTemplate('climate/ocean-model', '1.0.0', soon());
      expect(asked.value?.version).toBe('1.0.0');
    });

    it('says null of what it does not have, and does not fail', async () => {
      expect((await subject.source.fetchTemplate('no-such-thing', null, soon())).value).toBeNull();
      expect((await subject.source.fetchTemplate('climate/ocean-model', '9.9.9', soon())).value).toBeNull();
      expect((await subject.source.fetchVersions('no-such-thing', soon())).value).toBeNull();
      expect((await subject.source.fetchContent('no-such-thing', '1.0.0', soon())).value).toBeNull();
    });

    it.each(['.', '..', '', '\ud800', 'a\u0000b', 'x'.repeat(501)])(
      'never asks for the impossible name %j',
      async (impossible) => {
        expect((await subject.source.fetchTemplate(impossible, null, soon())).value).toBeNull();
      },
    );

    it('lists the versions of a name, or says that it keeps no list', async () => {
      const { value } = await subject.source.fetchVersions('Genomics-Basics', soon());
      if (value !== null) expect(value.map((entry) => entry.version)).toEqual(['2.1.0']);
    });

    it('gives a document with the digest of its bytes', async () => {
      const { value } = await subject.source.fetchContent('Genomics-Basics', '2.1.0', soon());
      expect(value).not.toBeNull();
      const hash = createHash('sha256').update(value?.bytes ?? '');
      expect(value?.digest).toBe(`sha256:${hash.digest('hex')}`);
    });

    it('lists its categories', async () => {
      const { value } = await subject.source.fetchCategories(soon());
      expect(value.map((category) => category.name).sort()).toEqual(['climate', 'genomics']);
    });

    it('says when it was asked and when the cache answered', async () => {
      const first = await subject.source.searchRows(BROWSE, soon());
      const second = await subject.source.searchRows(BROWSE, soon());
      expect([first.cache, second.cache]).toEqual(['MISS', 'HIT']);
      expect(second.fetchedAtMs).toBe(first.fetchedAtMs);
      expect(second.value).toEqual(first.value);
      expect(second.staleBecause).toBeNull();
    });

    it('asks again for what was fetched before the caller allows', async () => {
      const first = await subject.source.searchRows(BROWSE, soon());
      const again = await subject.source.searchRows(BROWSE, { ...soon(), notBeforeMs: first.fetchedAtMs + 1 });
      expect(again.cache).toBe('MISS');
      expect(again.fetchedAtMs).toBeGreaterThanOrEqual(first.fetchedAtMs);
    });

    it('is well, and counts what it was asked', async () => {
      await subject.whenTriedOnce();
      await subject.source.searchRows(BROWSE, soon());
      await subject.source.searchRows(BROWSE, soon());
      expect(subject.source.canAnswer()).toBe(true);
      const health = subject.source.readHealth();
      expect([health.status, health.uptime, health.message]).toEqual(['UP', 1, null]);
      expect(health.circuits.every((circuit) => circuit.state === 'CLOSED')).toBe(true);
      const metrics = subject.source.readMetrics(60_000);
      expect(metrics).toMatchObject({
        requests: 1,
        successRate: 1,
        cacheHits: 1,
        cacheMisses: 1,
        inFlight: 0,
        queued: 0,
      });
      expect(metrics.responseTime.p50).toBeGreaterThan(0);
    });
  });
}
