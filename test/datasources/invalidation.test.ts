/** What the cache forgets when a template changes: all that can contain it, and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openRegistries } from '../../datasources/registries.ts';
import type { CacheInvalidation } from '../../src/domain/cache.ts';
import type { RegistrySource, RowPage, RowRequest } from '../../src/domain/registry.ts';
import { NO_CRITERIA, type OrderField, type TemplateCriteria } from '../../src/domain/search.ts';
import type { Template } from '../../src/domain/template.ts';
import { CacheFolder } from '../cache/answers.ts';
import { type FaultyRegistry, startFaultyRegistry, type WireTemplate } from '../helpers/faulty-registry.ts';
import { FaultyCatalog } from '../helpers/faulty-registry-catalog.ts';
import { configureRegistry } from '../helpers/faulty-registry-config.ts';
import { openFaultySource } from '../helpers/faulty-registry-source.ts';

const NAMES = ['a', 'b', 'c', 'd', 'lab/ß', 'lab/X', 'Ümlaut', 'e%20f'];
const CATEGORIES = ['ml', 'bio'];
const FOREVER = { deadlineMs: Number.POSITIVE_INFINITY };

const template = fc.record({
  name: fc.constantFrom(...NAMES),
  version: fc.constantFrom('1', '2'),
  title: fc.constantFrom('alpha', 'beta'),
  category: fc.constantFrom(...CATEGORIES),
  marketplace: fc.record({ downloads: fc.nat({ max: 9 }), verified: fc.boolean() }),
});

type Question =
  | { readonly type: 'ROWS'; readonly request: RowRequest }
  | { readonly type: 'TEMPLATE' | 'VERSIONS'; readonly name: string }
  | { readonly type: 'CATEGORIES' };

const criteria: fc.Arbitrary<TemplateCriteria> = fc
  .record({
    categories: fc.option(fc.subarray(CATEGORIES, { minLength: 1, maxLength: 1 })),
    verified: fc.option(fc.boolean()),
  })
  .map((given) => ({ ...NO_CRITERIA, ...given }));
const rows: fc.Arbitrary<Question> = fc
  .record({
    query: fc.constantFrom('', '', 'alpha'),
    criteria: fc.oneof(fc.constant(NO_CRITERIA), criteria),
    field: fc.constantFrom<OrderField>('NAME', 'POPULARITY'),
    offset: fc.constantFrom(0, 2, 4),
    names: fc.option(fc.subarray(NAMES, { minLength: 1, maxLength: 3 })),
  })
  .map(({ names, ...rest }) => ({
    type: 'ROWS',
    request: { ...rest, direction: 'ASC', limit: 3, ...(names && { names }) },
  }));
const question = fc.oneof(
  { weight: 5, arbitrary: rows },
  fc.record({
    type: fc.constantFrom('TEMPLATE', 'VERSIONS'),
    name: fc.constantFrom(...NAMES),
  }) as fc.Arbitrary<Question>,
  fc.constant<Question>({ type: 'CATEGORIES' }),
);
/** The new state of a template; null: it goes. What is told of it. */
const change = fc.record({
  name: fc.constantFrom(...NAMES),
  to: fc.option(template),
  tells: fc.constantFrom('NOTHING', 'BEFORE_AND_AFTER'),
});

async function ask(source: RegistrySource, asked: Question): Promise<{ cache: string; value: unknown }> {
  switch (asked.type) {
    case 'ROWS': {
      const { cache, value } = await source.searchRows(asked.request, FOREVER);
      return { cache, value: showPage(value) };
    }
    case 'TEMPLATE':
      return source.fetchTemplate(asked.name, null, FOREVER);
    case 'VERSIONS':
      return source.fetchVersions(asked.name, FOREVER);
    case 'CATEGORIES': {
      const { cache, value } = await source.fetchCategories(FOREVER);
      // In which order they are listed says nothing.
      return { cache, value: value.toSorted((one, other) => (one.name < other.name ? -1 : 1)) };
    }
  }
}

function showPage({ rows: list, totalCount }: RowPage): unknown {
  return { rows: list.map((row) => row?.template), totalCount };
}

/** By the test's own search: whether the filters of a request pass a template. */
function passes(request: RowRequest, row: WireTemplate | undefined): boolean {
  if (row === undefined) return false;
  const query = new URLSearchParams();
  for (const category of request.criteria.categories ?? []) query.append('category', category);
  if (request.criteria.verified !== null) query.append('verified', String(request.criteria.verified));
  return new FaultyCatalog([row], {}).search(query).templates.length > 0;
}

/** Whether an answer can contain the template, as it was or as it is. */
function canContain(asked: Question, name: string, states: readonly (WireTemplate | undefined)[], isTold: boolean) {
  switch (asked.type) {
    case 'ROWS': {
      if (asked.request.names !== undefined && !asked.request.names.includes(name)) return false;
      return !isTold || states.some((state) => passes(asked.request, state));
    }
    case 'TEMPLATE':
    case 'VERSIONS':
      return asked.name === name;
    case 'CATEGORIES':
      return !isTold || states[0]?.category !== states[1]?.category;
  }
}

async function openSource(registry: FaultyRegistry, folder: CacheFolder | null) {
  const cache = folder?.open();
  const opened = openRegistries([configureRegistry(registry.url)], cache && { cache });
  const [source] = opened.sources;
  if (source === undefined) throw new Error('one registry must have been opened');
  const close = async () => {
    await opened.close();
    await cache?.close();
  };
  return { opened, source, close };
}

async function stateOf(source: RegistrySource, name: string): Promise<Template | 'ABSENT'> {
  return (await source.fetchTemplate(name, null, FOREVER)).value ?? 'ABSENT';
}

describe('after a change and its invalidation', () => {
  it.each([false, true])(
    'every answer is that of the registry, and what cannot contain the template is still kept; across a restart: %s',
    { timeout: 120_000 },
    async (restarts) => {
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(template, { maxLength: 7, selector: ({ name }) => name }),
          fc.array(question, { minLength: 1, maxLength: 25 }),
          change,
          async (catalog, questions, { name, to, tells }) => {
            using folder = new CacheFolder();
            await using registry = await startFaultyRegistry({ rows: catalog, behaviour: { claimsTotalOrder: true } });
            const truth = openRegistries([
              configureRegistry(registry.url, { cache: { search: 0, template: 0, catalog: 0, staleIfError: 0 } }),
            ]);
            const [real] = truth.sources;
            if (real === undefined) throw new Error('one registry must have been opened');
            let gateway = await openSource(registry, restarts ? folder : null);
            for (const asked of questions) await ask(gateway.source, asked);
            if (restarts) {
              await gateway.close();
              gateway = await openSource(registry, folder);
            }

            const old = catalog.find((row) => row.name === name);
            const before = await stateOf(real, name);
            registry.remove(name);
            const now = to === null ? undefined : { ...to, name };
            if (now !== undefined) registry.insert(now);
            const after = await stateOf(real, name);
            const isTold = tells === 'BEFORE_AND_AFTER';
            const counting = gateway.opened.cache.invalidate({
              ...{ registry: gateway.source.info.name, template: name },
              ...(isTold && { before, after }),
            });

            const distinct = new Map(questions.map((asked) => [JSON.stringify(asked), asked]));
            let dropped = 0;
            for (const asked of distinct.values()) {
              const { cache, value } = await ask(gateway.source, asked);
              expect(value).toEqual((await ask(real, asked)).value);
              const isConcerned = canContain(asked, name, [old, now], isTold);
              expect([asked, cache]).toEqual([asked, isConcerned ? 'MISS' : 'HIT']);
              if (isConcerned) dropped += 1;
            }
            expect(await counting).toBe(dropped);
            await gateway.close();
            await truth.close();
          },
        ),
        { numRuns: 60 },
      );
    },
  );
});

describe('an invalidation', () => {
  const search = { query: '', criteria: NO_CRITERIA, field: 'NAME', direction: 'ASC', offset: 0, limit: 5 } as const;

  it('holds for an answer that was asked for before it and comes after it', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 60 } });
    const late = faulty.search();
    await faulty.registry.whenArrived(1);
    await faulty.opened.cache.invalidate({ template: 'template-00001' });
    expect((await late).freshUntilMs).toBe(0);
    expect((await faulty.search()).cache).toBe('MISS');
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
  });

  it('is not undone by who joins a call that began before it: a new one is made', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 60 } });
    const before = faulty.search();
    await faulty.registry.whenArrived(1);
    await faulty.opened.cache.invalidate({ registry: 'faulty' });
    const after = await faulty.search();
    expect((await before).fetchedAtMs).toBeLessThanOrEqual(after.fetchedAtMs);
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
    expect((await faulty.search()).cache).toBe('HIT');
  });

  it('leaves calls alone that cannot bring what has changed', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 60 } });
    const ask = () => faulty.source.searchRows({ ...search, names: ['template-00000'] }, FOREVER);
    const before = ask();
    await faulty.registry.whenArrived(1);
    await faulty.opened.cache.invalidate({ registry: 'faulty', template: 'template-00000', layer: 'TEMPLATE' });
    await Promise.all([before, ask()]);
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
    expect((await ask()).cache).toBe('HIT');
  });

  it('leaves nothing to stand in for what cannot be had', async () => {
    await using faulty = await openFaultySource();
    await faulty.search();
    await faulty.opened.cache.invalidate({ template: 'template-00000' });
    await faulty.registry.setMode('reset');
    await expect(faulty.search()).rejects.toMatchObject({ type: 'CONNECTION' });
  });

  it('drops what a registry gave that ignores filters or names: it may hold anything', async () => {
    await using faulty = await openFaultySource({ behaviour: { ignoresFilters: true, ignoresNames: true } });
    const questions: readonly RowRequest[] = [
      { ...search, names: ['template-00000'] },
      { ...search, criteria: { ...NO_CRITERIA, categories: ['bio'] } },
    ];
    for (const request of questions) await faulty.source.searchRows(request, FOREVER);
    const after = (await faulty.source.fetchTemplate('template-00002', null, FOREVER)).value ?? 'ABSENT';
    await faulty.opened.cache.invalidate({ template: 'another', before: 'ABSENT', after });
    for (const request of questions) expect((await faulty.source.searchRows(request, FOREVER)).cache).toBe('MISS');
  });

  it('is told to whoever listens, at once, until they no longer do', async () => {
    await using faulty = await openFaultySource();
    const heard: CacheInvalidation[] = [];
    const end = faulty.opened.cache.onInvalidated((invalidation) => void heard.push(invalidation));
    const counting = faulty.opened.cache.invalidate({ layer: 'RESPONSE' });
    expect(heard).toEqual([{ layer: 'RESPONSE' }]);
    end();
    expect(await counting).toBe(0);
    await faulty.opened.cache.invalidate({});
    expect(heard).toHaveLength(1);
  });
});
