import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Caller, maySeeRegistry } from '../../src/domain/caller.ts';
import type { RegistryInfo } from '../../src/domain/registry.ts';
import type { OrderField, SearchConfig } from '../../src/domain/search.ts';
import type { Template } from '../../src/domain/template.ts';
import type { FederationView, SearchResult, VisibleRegistry } from '../../src/federation/answers.ts';
import { createFederation } from '../../src/federation/federation.ts';
import type { WireTemplate } from '../helpers/faulty-registry-catalog.ts';
import { FullSource } from '../helpers/full-source.ts';
import { createRandom, generateRows, namesOf, requestOf, type Search } from '../helpers/walks.ts';

const SEED = 20_271;
const SEARCH: SearchConfig = {
  timeout: 5000,
  maxPageSize: 100,
  window: 20,
  scan: 2000,
  drain: { rows: 10_000, requests: 40 },
};
const SECRETS = ['a secret of the visibility tests'];
const ROLES = ['researcher', 'student'];
const GROUPS = ['physics', 'chemistry'];

const NOBODY: RegistryInfo['access'] = { roles: [], groups: [] };
const EVERYBODY: Caller = { authenticated: true, subject: 'all', roles: ROLES, groups: GROUPS };

interface Plan {
  readonly seed: number;
  readonly access: readonly RegistryInfo['access'][];
  readonly claims: readonly (readonly string[])[];
  readonly lost: readonly boolean[];
  readonly odd: readonly boolean[];
  readonly caller: Caller;
  /** Without ties nothing can be learnt of how a registry orders them, which would show in how much is read of it. */
  readonly hasTies?: boolean;
}

const anyAccess: fc.Arbitrary<RegistryInfo['access']> = fc.option(
  fc.record({ roles: fc.subarray(ROLES), groups: fc.subarray(GROUPS) }),
  { freq: 2 },
);
const anyPlan: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(1_000_000),
  access: fc.array(anyAccess, { minLength: 4, maxLength: 4 }),
  // Never overlapping, as the configuration demands: each may claim what begins with letters of its own.
  claims: fc.tuple(
    ...['a*', 'b*', 'c*', 'shared-1*'].map((glob) => fc.constantFrom<readonly string[]>([], [], [glob])),
  ),
  lost: fc.array(fc.constantFrom(false, false, false, true), { minLength: 4, maxLength: 4 }),
  odd: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  caller: fc.record({
    authenticated: fc.boolean(),
    subject: fc.constant(null),
    roles: fc.subarray(ROLES),
    groups: fc.subarray(GROUPS),
  }),
});

const nameOf = (index: number) => `registry-${index}`;
const isVisible = (plan: Plan, index: number) => maySeeRegistry(plan.caller, { access: plan.access[index] ?? null });

function makeRows({ seed, hasTies = true }: Plan, index: number): WireTemplate[] {
  const random = createRandom(seed + index);
  const shared = Array.from({ length: 30 }, (_, at) => ({ name: `shared-${at}`, version: `${index + 1}.0.0` }));
  const own = generateRows(seed * 10 + index, 60, { prefix: ['a', 'b', 'c', 'd'][index] ?? 'e' });
  return [...own, ...shared.filter(() => random() < 0.6)].map((row, at) => ({
    ...row,
    title: `Environment of ${nameOf(index)}`,
    category: random() < 0.5 ? 'ml' : `only-${index}`,
    downloads: hasTies ? Math.floor(random() * 9) : at,
    ...(hasTies ? {} : { updated_at: new Date(Date.UTC(2024, 0, 1) + at * 60_000).toISOString() }),
    parent: `shared-${Math.floor(random() * 30)}`,
  }));
}

function makeSource(plan: Plan, index: number, rank: number): FullSource {
  return new FullSource({
    name: nameOf(index),
    rank,
    rows: makeRows(plan, index),
    behaviour: plan.odd[index] ? { tiesById: true, ignoresNames: true } : { claimsTotalOrder: true },
    info: { access: plan.access[index] ?? null, claims: plan.claims[index] ?? [] },
  });
}

function open(sources: readonly FullSource[]) {
  return createFederation({ sources, search: SEARCH, secrets: SECRETS });
}

/** The gateway as it is. */
function openWhole(plan: Plan) {
  const sources = plan.access.map((_, index) => makeSource(plan, index, index));
  return { sources, federation: open(sources) };
}

/** A gateway with the same claims and without the registries that the caller may not see. */
function openWithoutHidden(plan: Plan) {
  const indexes = plan.access.map((_, index) => index);
  const visible = indexes.filter((index) => isVisible(plan, index));
  const sources = visible.map((index, rank) => makeSource(plan, index, rank));
  const claims = indexes.filter((index) => !isVisible(plan, index)).flatMap((index) => plan.claims[index] ?? []);
  const keeper = new FullSource({ name: 'keeper-of-claims', rank: 99, rows: [], info: { claims, access: NOBODY } });
  return { sources, federation: open(claims.length > 0 ? [...sources, keeper] : sources) };
}

const SEARCHES: readonly Search[] = [
  { field: 'POPULARITY' },
  { field: 'NAME', collapse: true },
  { field: 'RELEVANCE', query: 'environment', collapse: true },
  { field: 'UPDATED', filter: { categories: ['ml'] } },
];

const showRegistry = ({ source, priority }: VisibleRegistry) => `${source.info.name} ${priority}`;

function showResult(result: SearchResult) {
  return {
    edges: result.edges.map(({ template, score, cursor }) => ({ template, score, cursor: cursor() })),
    info: [result.hasNextPage, result.hasPreviousPage, result.startCursor(), result.endCursor(), result.partial],
    count: [result.totalCount, result.totalCountAccuracy],
    facets: result.facets(),
    reports: result.reports.map(({ registry, tookMs: _tookMs, ageSeconds: _age, freshUntilMs: _fresh, ...report }) => ({
      registry: showRegistry(registry),
      ...report,
    })),
  };
}

/** What came of it: the value, or the error with all it tells. */
async function outcomeOf(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? { ...error, kind: error.name, message: error.message } : error;
  }
}

/** Everything a caller can ask, as data. */
async function askEverything(view: FederationView): Promise<unknown[]> {
  const answers: unknown[] = [view.registries.map(showRegistry)];
  const templates: Template[] = [];
  for (const search of SEARCHES) {
    let cursor: string | null = null;
    for (let page = 0; page < 4; page += 1) {
      const result: SearchResult = await view.search(requestOf(search, { direction: 'FORWARD', count: 15, cursor }));
      answers.push(showResult(result));
      templates.push(...result.edges.slice(0, 2).map(({ template }) => template));
      cursor = result.endCursor();
    }
    const last = requestOf(search, { direction: 'BACKWARD', count: 15, cursor: null });
    answers.push(showResult(await view.search(last)));
  }
  for (const template of templates.slice(0, 8)) {
    const { entries, complete } = await view.sourcesOf(template);
    const shown = entries.map(({ registry, ...entry }) => ({ registry: showRegistry(registry), ...entry }));
    answers.push(shown, complete, showRegistry(view.registryOf(template)));
    answers.push(await outcomeOf(() => view.parentOf(template)));
    answers.push(await outcomeOf(() => view.versionsOf(template)));
    answers.push(await outcomeOf(() => view.alternativesTo(template, 3)));
  }
  const names = [0, 1, 2, 3].map(nameOf);
  for (const name of ['shared-1', 'shared-15', 'shared-3', 'a', 'nowhere']) {
    answers.push(await outcomeOf(() => view.lookUpTemplate(name, null, null)));
    answers.push(await outcomeOf(() => view.lookUpTemplate(name, '3.0.0', null)));
    for (const registry of names) answers.push(await outcomeOf(() => view.lookUpTemplate(name, null, registry)));
  }
  for (const name of [...names, 'registry', 'regstry-2', 'keeper']) {
    answers.push(await outcomeOf(() => showRegistry(view.registryNamed(name, 'registry'))));
    const filtered = requestOf({ filter: { registries: [name] } }, { direction: 'FORWARD', count: 3, cursor: null });
    answers.push(await outcomeOf(async () => showResult(await view.search(filtered))));
    answers.push(await outcomeOf(async () => showResult(await view.search({ ...filtered, require: [name] }))));
    answers.push(await outcomeOf(() => view.categories([name]).then((all) => all.length)));
  }
  const categories = await view.categories(null);
  answers.push(
    categories.map(({ registries, ...category }) => ({ ...category, registries: registries.map(showRegistry) })),
  );
  answers.push(view.registriesOfTypes(['COMMUNITY']).map(showRegistry));
  return answers;
}

describe('a registry that the caller may not see', () => {
  it('is absent everywhere: the whole answer is that of a gateway with the same claims and no such registry', async () => {
    let hidden = 0;
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        hidden += plan.access.filter((_, index) => !isVisible(plan, index)).length;
        const [whole, reference] = [openWhole(plan), openWithoutHidden(plan)];
        for (const { sources } of [whole, reference]) {
          for (const source of sources) if (plan.lost[Number(source.info.name.at(-1))]) source.lose();
        }
        const answers = await askEverything(whole.federation.viewFor(plan.caller));
        const expected = await askEverything(reference.federation.viewFor(plan.caller));
        await Promise.all([whole.federation.close(), reference.federation.close()]);
        expect(answers).toEqual(expected);
      }),
      { seed: SEED, numRuns: 30 },
    );
    expect(hidden).toBeGreaterThan(15);
  });

  it('is not given away by what others who see it have searched before', async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async (anyTies) => {
        const plan = { ...anyTies, hasTies: false };
        const [whole, reference] = [openWhole(plan), openWithoutHidden(plan)];
        for (const { federation } of [whole, reference]) {
          await askEverything(federation.viewFor(EVERYBODY));
          await federation.close();
        }
        const answers = await askEverything(whole.federation.viewFor(plan.caller));
        const expected = await askEverything(reference.federation.viewFor(plan.caller));
        await Promise.all([whole.federation.close(), reference.federation.close()]);
        expect(answers).toEqual(expected);
      }),
      { seed: SEED + 1, numRuns: 12 },
    );
  });

  it('is never asked, and a failure of it does not make an answer partial', async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        const { sources, federation } = openWhole(plan);
        const hidden = sources.filter((_, index) => !isVisible(plan, index));
        for (const source of hidden) source.lose();
        await askEverything(federation.viewFor(plan.caller));
        const result = await federation
          .viewFor(plan.caller)
          .search(requestOf({}, { direction: 'FORWARD', count: 5, cursor: null }));
        expect(result.partial).toBe(false);
        await federation.close();
        expect(hidden.flatMap((source) => source.rows.asked)).toEqual([]);
      }),
      { seed: SEED + 2, numRuns: 8 },
    );
  });
});

describe('the cursor of a caller who sees more, or less', () => {
  const anySearch = fc.record({
    field: fc.constantFrom<OrderField>('POPULARITY', 'NAME', 'RELEVANCE'),
    direction: fc.constantFrom<'FORWARD' | 'BACKWARD'>('FORWARD', 'BACKWARD'),
  });

  it('is taken up: nothing that is hidden comes, and what both see comes exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, anySearch, async (plan, { field, direction }) => {
        const { sources, federation } = openWhole(plan);
        const seen = sources.filter((_, index) => isVisible(plan, index)).map(({ info }) => info.name);
        const random = createRandom(plan.seed);
        const search: Search = { field, query: field === 'RELEVANCE' ? 'environment' : '' };
        const shown: string[] = [];
        let cursor: string | null = null;
        for (let page = 0; page < 200; page += 1) {
          // The last page is the limited caller's: only it can tell that nothing is left for it.
          const isLimited = random() < 0.5;
          const view = federation.viewFor(isLimited ? plan.caller : EVERYBODY);
          const result: SearchResult = await view.search(requestOf(search, { direction, count: 9, cursor }));
          const names = namesOf(result);
          if (isLimited) {
            expect(names.filter((name) => !seen.includes(name.split('/')[0] ?? ''))).toEqual([]);
            expect(result.reports.map(({ registry }) => registry.source.info.name)).toEqual(seen);
          }
          shown.push(...names);
          const next: string | null = direction === 'FORWARD' ? result.endCursor() : result.startCursor();
          const goesOn = direction === 'FORWARD' ? result.hasNextPage : result.hasPreviousPage;
          if (!goesOn && !isLimited) break;
          cursor = next ?? cursor;
        }
        expect(shown.filter((name, index) => shown.indexOf(name) !== index)).toEqual([]);
        const expected = sources
          .filter(({ info }) => seen.includes(info.name))
          .flatMap(({ info, rows }) =>
            rows.catalog.rows
              .filter(
                (row) =>
                  !plan.claims.some((claims, owner) => nameOf(owner) !== info.name && isClaimed(row.name, claims)),
              )
              .map((row) => `${info.name}/${row.name}`),
          );
        const visibleShown = shown.filter((name) => seen.includes(name.split('/')[0] ?? ''));
        expect(visibleShown.sort()).toEqual(expected.sort());
      }),
      { seed: SEED + 3, numRuns: 40 },
    );
  });

  it('says nothing of how many registries there are: its length is that of one among those the caller sees', async () => {
    const plan: Plan = {
      seed: 1,
      access: [null, { roles: ['researcher'], groups: [] }, { roles: ['researcher'], groups: [] }, null],
      claims: [[], [], [], []],
      lost: [],
      odd: [],
      caller: { authenticated: false, subject: null, roles: [], groups: [] },
    };
    const { federation } = openWhole(plan);
    const request = requestOf({}, { direction: 'FORWARD', count: 9, cursor: null });
    const all = await federation.viewFor(EVERYBODY).search(request);
    const next = { ...request, page: { direction: 'FORWARD', count: 9, cursor: all.endCursor() } } as const;
    const own = await federation.viewFor(plan.caller).search(next);
    const fresh = await federation.viewFor(plan.caller).search(request);
    expect(own.endCursor()?.length).toBeLessThan(all.endCursor()?.length ?? 0);
    expect(Math.abs((own.endCursor()?.length ?? 0) - (fresh.endCursor()?.length ?? 0))).toBeLessThan(12);
  });
});

function isClaimed(name: string, claims: readonly string[]): boolean {
  return claims.some((glob) => name.normalize('NFKC').toLowerCase().startsWith(glob.slice(0, -1)));
}
