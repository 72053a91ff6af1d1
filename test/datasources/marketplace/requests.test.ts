import { describe, expect, it } from 'vitest';
import { marketplace } from '../../../datasources/marketplace/index.ts';
import { NO_CRITERIA } from '../../../src/domain/search.ts';
import { failureOf, openFaultySource } from '../../helpers/faulty-registry-source.ts';
import { BROWSE } from '../../helpers/row-request.ts';

const soon = () => ({ deadlineMs: performance.now() + 5_000 });

describe('a search request', () => {
  it('has only the parameters that are set', () => {
    expect(marketplace.search.buildPath(BROWSE)).toBe('/api/v1/search?sort_by=name&sort_order=asc&limit=50&offset=0');
  });

  it('has every parameter of the protocol, lists repeated, in one order', () => {
    const path = marketplace.search.buildPath({
      query: 'a & b',
      criteria: {
        categories: ['ml', 'bio'],
        domains: ['x'],
        complexity: ['SIMPLE', 'COMPLEX'],
        keywords: ['ü'],
        minRating: 3.5,
        verified: true,
        validated: false,
        researchUser: true,
        connectionTypes: ['ssh'],
        packageManagers: ['pip'],
        licenses: ['MIT'],
        updatedSinceMs: 0,
      },
      field: 'RELEVANCE',
      direction: 'DESC',
      offset: 100,
      limit: 25,
      names: ['org/a', 'b'],
    });
    expect(path).toBe(
      '/api/v1/search?q=a%20%26%20b&category=bio&category=ml&domain=x&complexity=complex&complexity=simple' +
        '&keyword=%C3%BC&min_rating=3.5&verified=true&validated=false&research_user=true&connection_type=ssh' +
        '&package_manager=pip&license=MIT&updated_since=1970-01-01T00%3A00%3A00.000Z&name=b&name=org%2Fa' +
        '&sort_by=relevance&sort_order=desc&limit=25&offset=100',
    );
  });

  it('is the same for lists that say the same', () => {
    const build = (categories: readonly string[]) =>
      marketplace.search.buildPath({ ...BROWSE, criteria: { ...NO_CRITERIA, categories } });
    expect(build(['b', 'a', 'b'])).toBe(build(['a', 'b']));
  });

  it('is made of broken text without breaking', () => {
    expect(marketplace.search.buildPath({ ...BROWSE, query: '\ud800' })).toContain('q=%EF%BF%BD');
  });
});

describe('a look-up', () => {
  it('refuses another template than the one asked for', async () => {
    await using faulty = await openFaultySource({ mode: 'other-template' });
    expect((await failureOf(faulty.source.fetchTemplate('a', null, soon()))).type).toBe('PROTOCOL');
    const same = await faulty.source.fetchTemplate('Somebody%2FElse', '1', soon());
    expect(same.value?.name).toBe('somebody/else');
    const other = faulty.source.fetchTemplate('somebody/else', '2', soon());
    expect((await failureOf(other)).logDetail).toBe('another version than the one asked for');
  });
});

describe('a document', () => {
  const good = { name: 'a', version: '1' };

  it.each([
    ['ETag', { etag: `"sha256:${'0'.repeat(64)}"` }],
    ['Repr-Digest', { 'repr-digest': 'sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:' }],
  ])('is refused when its %s is of another one', async (_, headers) => {
    await using faulty = await openFaultySource({ rows: [good], headers });
    expect((await failureOf(faulty.source.fetchContent('a', '1', soon()))).type).toBe('PROTOCOL');
  });

  it('is refused when the template states another digest', async () => {
    await using faulty = await openFaultySource({ rows: [{ ...good, digest: `sha256:${'0'.repeat(64)}` }] });
    expect((await failureOf(faulty.source.fetchContent('a', '1', soon()))).type).toBe('PROTOCOL');
  });

  it.each([
    ['is kept when it is small', 1_000, 1],
    ['is fetched anew when it is large', 300_000, 2],
  ])('%s', async (_, size, arrivals) => {
    await using faulty = await openFaultySource({ rows: [{ ...good, description: 'x'.repeat(size) }] });
    for (const _again of [1, 2]) await faulty.source.fetchContent('a', '1', soon());
    expect(faulty.registry.arrivalsAt('/content')).toHaveLength(arrivals);
  });

  it('is given when nothing speaks against it', async () => {
    await using faulty = await openFaultySource({ rows: [good] });
    const { value } = await faulty.source.fetchContent('a', '1', soon());
    expect(Buffer.from(value?.bytes ?? []).toString()).toBe('{"name":"a","version":"1"}');
    expect(value?.mediaType).toBe('application/json');
  });
});
