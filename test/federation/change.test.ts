import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrderField } from '../../src/domain/search.ts';
import type { SearchResult } from '../../src/federation/answers.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import type { CatalogBehaviour } from '../helpers/faulty-registry-catalog.ts';
import {
  ANYONE,
  createRandom,
  federate,
  generateRows,
  namesOf,
  requestOf,
  type Search,
  sortInOnePlace,
  walk,
} from '../helpers/walks.ts';

const SEED = 202_693;
const BEHAVIOURS: Readonly<Record<string, CatalogBehaviour>> = {
  'keeps the protocol': { claimsTotalOrder: true },
  'gives 25 rows at most': { claimsTotalOrder: true, capLimit: 25 },
  'orders ties by id': { tiesById: true },
  'ignores sorts': { ignoresSort: true },
};

const anyWalk = fc.record({
  seed: fc.nat(1_000_000),
  field: fc.constantFrom<OrderField>('POPULARITY', 'RATING', 'UPDATED', 'NAME', 'RELEVANCE'),
  window: fc.constantFrom(7, 50),
  direction: fc.constantFrom<'FORWARD' | 'BACKWARD'>('FORWARD', 'BACKWARD'),
});

function searchFor(field: OrderField): Search {
  return { field, query: field === 'RELEVANCE' ? 'environment' : '' };
}

function makeSources(seed: number, counts: readonly number[], behaviour: CatalogBehaviour, keepsAnswers = false) {
  return counts.map((count, rank) => {
    const rows = generateRows(seed * 10 + rank, count);
    const own: CatalogBehaviour = rank === 0 ? behaviour : { claimsTotalOrder: true };
    return new CatalogSource({ name: `r${rank}`, rank, rows, behaviour: own, keepsAnswers });
  });
}

/** Answers tell their age in milliseconds: what changes between two of them must not fall into one. */
function passMillisecond(): void {
  const startMs = Date.now();
  while (Date.now() === startMs);
}

const namesIn = (sources: readonly CatalogSource[]) =>
  sources.flatMap((source) => source.catalog.rows.map((row) => `${source.info.name}/${row.name}`));

describe.each(Object.entries(BEHAVIOURS))(
  'entries that come, go and move between two pages of a registry that %s',
  (_name, behaviour) => {
    it.each([
      ['nothing is cached', false, false],
      ['windows of different age lie in the cache', true, false],
      ['every page is served by another replica', false, true],
      ['every page is served by another replica, with a shared cache', true, true],
    ])('cost no other entry, and none comes twice: %s', async (_how, keepsAnswers, replicas) => {
      await fc.assert(
        fc.asyncProperty(anyWalk, async ({ seed, field, window, direction }) => {
          const sources = makeSources(seed, [300, 150], behaviour, keepsAnswers);
          const random = createRandom(seed);
          const original = new Set(namesIn(sources));
          /** Entries that went, or moved. */
          const removed = new Set<string>();
          let inserted = 0;
          const change = () => {
            if (keepsAnswers) passMillisecond();
            for (const source of sources) {
              for (let count = Math.floor(random() * 3); count > 0; count -= 1) {
                const row = source.catalog.rows[Math.floor(random() * source.catalog.rows.length)];
                if (row === undefined) break;
                removed.add(`${source.info.name}/${row.name}`);
                source.catalog.remove(row.name);
              }
              for (let count = Math.floor(random() * 3); count > 0; count -= 1) {
                inserted += 1;
                source.catalog.insert(...generateRows(seed + inserted, 1, { prefix: `new${inserted}` }));
              }
              const moved = source.catalog.rows[Math.floor(random() * source.catalog.rows.length)];
              if (random() < 0.5 && moved !== undefined) {
                // The entry that moves may itself come twice or not at all: its place is another one now.
                removed.add(`${source.info.name}/${moved.name}`);
                source.catalog.remove(moved.name);
                source.catalog.insert({ ...moved, downloads: Math.floor(random() * 20), title: 'Moved environment' });
              }
              if (random() < 0.3) source.forgetAnswers();
            }
          };
          const federation = federate(sources, { window });
          const { names } = await walk(
            () => (replicas ? federate(sources, { window }) : federation).viewFor(ANYONE),
            searchFor(field),
            { sizes: [20, 7, 33], direction, between: change },
          );
          expect(names.filter((name, index) => names.indexOf(name) !== index && !removed.has(name))).toEqual([]);
          const seen = new Set(names);
          expect([...original].filter((name) => !removed.has(name) && !seen.has(name))).toEqual([]);
        }),
        { seed: SEED, numRuns: 12 },
      );
    });
  },
);

describe('a walk that goes on after a restart', () => {
  it('is the same walk, on any replica', async () => {
    await fc.assert(
      fc.asyncProperty(anyWalk, async ({ seed, field, window, direction }) => {
        fc.pre(field !== 'RELEVANCE');
        const sources = makeSources(seed, [300, 150], { claimsTotalOrder: true });
        const { names } = await walk(() => federate(sources, { window }).viewFor(ANYONE), searchFor(field), {
          sizes: [20, 50],
          direction,
        });
        expect(names).toEqual(sortInOnePlace(sources, searchFor(field)));
      }),
      { seed: SEED, numRuns: 20 },
    );
  });

  it('is taken up with another window size, except by relevance, where the windows are part of the order', async () => {
    const sources = makeSources(5, [300, 150], { claimsTotalOrder: true });
    const windows = [50, 7, 20, 1];
    let page = 0;
    const { names } = await walk(
      () => federate(sources, { window: windows[page++ % 4] ?? 50 }).viewFor(ANYONE),
      {},
      { sizes: [20] },
    );
    expect(names).toEqual(sortInOnePlace(sources, {}));
    const first = await federate(sources, { window: 50 })
      .viewFor(ANYONE)
      .search(requestOf(searchFor('RELEVANCE'), { direction: 'FORWARD', count: 5, cursor: null }));
    const next = requestOf(searchFor('RELEVANCE'), { direction: 'FORWARD', count: 5, cursor: first.endCursor() });
    await expect(federate(sources, { window: 7 }).viewFor(ANYONE).search(next)).rejects.toThrow(/must be a cursor/);
  });
});

/** Walks to the end while registries come and go, then with all of them there until there is really nothing more. */
async function walkThroughLosses(
  sources: readonly CatalogSource[],
  search: Search,
  options: { window: number; direction: 'FORWARD' | 'BACKWARD'; toggle: (page: number) => void },
) {
  const federation = federate(sources, { window: options.window });
  const forward = options.direction === 'FORWARD';
  const pages: SearchResult[] = [];
  let cursor: string | null = null;
  let allThere = false;
  for (let index = 0; index < 400; index += 1) {
    allThere ||= index > 40;
    if (allThere) for (const source of sources) source.regain();
    else options.toggle(index);
    const page = { direction: options.direction, count: [20, 7][index % 2] ?? 20, cursor };
    const result = await federation.viewFor(ANYONE).search(requestOf(search, page));
    pages.push(result);
    cursor = (forward ? result.endCursor() : result.startCursor()) ?? cursor;
    const goesOn = forward ? result.hasNextPage : result.hasPreviousPage;
    if (!goesOn && allThere) break;
    if (!goesOn) allThere = true;
  }
  return pages;
}

describe.each(Object.entries(BEHAVIOURS))('a registry that %s, lost in the middle of a walk', (_name, behaviour) => {
  it('goes on from where it was when it answers again: nothing is lost, nothing comes twice', async () => {
    await fc.assert(
      fc.asyncProperty(anyWalk, async ({ seed, field, window, direction }) => {
        const sources = makeSources(seed, [240, 120, 60], behaviour);
        const random = createRandom(seed);
        const toggle = () => {
          for (const source of sources) {
            if (random() < 0.2) source.lose();
            else if (random() < 0.4) source.regain();
          }
        };
        const pages = await walkThroughLosses(sources, searchFor(field), { window, direction, toggle });
        const names = pages.flatMap(namesOf);
        expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
        expect([...names].sort()).toEqual(namesIn(sources).sort());
      }),
      { seed: SEED, numRuns: 15 },
    );
  });
});

describe('late rows', () => {
  const search: Search = { field: 'NAME' };
  const letters = [...'abcdefghijklmnopqrstuvwxyz'];
  const makeLetters = () =>
    ['even', 'odd'].map((name, rank) => {
      const own = letters.filter((_, index) => index % 2 === rank);
      const rows = own.map((letter) => ({ name: letter, version: '1' }));
      return new CatalogSource({ name, rank, rows });
    });
  const take = (sources: readonly CatalogSource[], count: number, cursor: string | null) =>
    federate(sources)
      .viewFor(ANYONE)
      .search(requestOf(search, { direction: 'FORWARD', count, cursor }));
  const lettersOf = (result: SearchResult) => result.edges.map(({ template }) => template.name).join('');

  it('lead the next page, and the report counts them', async () => {
    const sources = makeLetters();
    const [, odd] = sources;
    const first = await take(sources, 4, null);
    expect(lettersOf(first)).toBe('abcd');
    odd?.lose();
    const second = await take(sources, 4, first.endCursor());
    expect(lettersOf(second)).toBe('egik');
    expect(second.partial).toBe(true);
    expect(second.reports.map(({ outcome, returned, lateRows }) => [outcome, returned, lateRows])).toEqual([
      ['OK', 4, 0],
      ['FAILED', 0, 0],
    ]);
    odd?.regain();
    const third = await take(sources, 6, second.endCursor());
    expect(lettersOf(third)).toBe('fhjlmn');
    expect(third.partial).toBe(false);
    expect(third.reports.map(({ returned, lateRows }) => [returned, lateRows])).toEqual([
      [1, 0],
      [5, 3],
    ]);
    expect(lettersOf(await take(sources, 30, third.endCursor()))).toBe('opqrstuvwxyz');
  });

  it('come over several pages where one does not hold them', async () => {
    const sources = makeLetters();
    const [, odd] = sources;
    odd?.lose();
    const first = await take(sources, 10, null);
    expect(lettersOf(first)).toBe('acegikmoqs');
    odd?.regain();
    const pages: SearchResult[] = [];
    let cursor = first.endCursor();
    do {
      const page = await take(sources, 4, cursor);
      pages.push(page);
      cursor = page.endCursor();
    } while (pages.at(-1)?.hasNextPage);
    expect(pages.map(lettersOf)).toEqual(['bdfh', 'jlnp', 'rtuv', 'wxyz']);
    expect(pages.map(({ reports }) => reports[1]?.lateRows)).toEqual([4, 4, 1, 0]);
  });

  it('are reached from a page that is the last one for now: it has an end cursor although nothing can follow', async () => {
    const sources = makeLetters();
    const [even, odd] = sources;
    odd?.lose();
    const last = await take(sources, 50, null);
    expect([last.hasNextPage, last.partial, lettersOf(last)]).toEqual([false, true, 'acegikmoqsuwy']);
    const again = await take(sources, 50, last.endCursor());
    expect([again.hasNextPage, lettersOf(again)]).toEqual([false, '']);
    odd?.regain();
    expect(lettersOf(await take(sources, 50, again.endCursor()))).toBe('bdfhjlnprtvxz');
    even?.lose();
    odd?.lose();
    const empty = await take(sources, 50, null);
    expect([empty.hasNextPage, empty.partial, empty.edges.length]).toEqual([false, true, 0]);
    even?.regain();
    odd?.regain();
    expect(lettersOf(await take(sources, 50, empty.endCursor()))).toBe(letters.join(''));
  });

  it('come once: the walk is back in order behind them', async () => {
    const sources = makeLetters();
    const first = await take(sources, 2, null);
    sources[0]?.lose();
    const second = await take(sources, 3, first.endCursor());
    sources[0]?.regain();
    const rest = await take(sources, 50, second.endCursor());
    expect([first, second, rest].map(lettersOf)).toEqual(['ab', 'dfh', 'cegijklmnopqrstuvwxyz']);
    const back = await federate(sources)
      .viewFor(ANYONE)
      .search(requestOf(search, { direction: 'BACKWARD', count: 50, cursor: rest.endCursor() }));
    expect(lettersOf(back)).toBe('abcdefghijklmnopqrstuvwxy');
  });
});
