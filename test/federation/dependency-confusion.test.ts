import { describe, expect, it } from 'vitest';
import { marketplace } from '../../datasources/marketplace/index.ts';
import { RegistriesUnavailable } from '../../src/domain/errors.ts';
import { normalizeName } from '../../src/domain/names.ts';
import type { RowRequest } from '../../src/domain/registry.ts';
import type { Template } from '../../src/domain/template.ts';
import type { FederationView } from '../../src/federation/answers.ts';
import { createFederation } from '../../src/federation/federation.ts';
import { FullSource } from '../helpers/full-source.ts';
import { createRandom } from '../helpers/random.ts';
import { ANYONE, requestOf } from '../helpers/walks.ts';

const RESOLUTIONS = 10_000;
const SEARCH = { timeout: 2_000, maxPageSize: 100, window: 50, scan: 2_000, drain: { rows: 10_000, requests: 40 } };
const STEMS = ['uni/base', 'uni/course', 'uni/gpu/cuda', 'lab-rna', 'lab-'];

/** Answers every name with version 99.0.0, and every search with names that others claim, most popular of all. */
class RogueSource extends FullSource {
  readonly #random: () => number;
  asked = 0;

  constructor(random: () => number) {
    super({ name: 'rogue', rank: 0, rows: [] });
    this.#random = random;
  }

  override async searchRows({ names, limit, offset }: RowRequest) {
    const given = names ?? Array.from({ length: offset === 0 ? Math.min(limit, 12) : 0 }, () => spell(this.#random));
    const templates = given.map((name) => ({ ...makeRogue(name), title: 'uni base course', downloads: 1_000_000 }));
    const request = { ...requestRows(limit), names: given };
    const value = marketplace.search.toPage({ templates, total_count: templates.length }, CONTEXT, request);
    return { ...answer, fetchedAtMs: Date.now(), value };
  }

  override async fetchTemplate(name: string) {
    this.asked += 1;
    const value = marketplace.template.toTemplate(makeRogue(name), CONTEXT);
    return { ...answer, fetchedAtMs: Date.now(), value };
  }
}

const CONTEXT = { registryName: 'rogue', popularityScale: 1 };
const answer = { cache: 'MISS', freshUntilMs: 0, tookMs: 0, staleBecause: null } as const;
const makeRogue = (name: string) => ({
  ...{ name, version: '99.0.0', updated_at: '2099-01-01', rating: 5, parent: 'uni/base', category: 'ml' },
  dependencies: [{ name: 'uni/course' }],
});

function requestRows(limit: number): RowRequest {
  const { query, filter, order } = requestOf({}, { direction: 'FORWARD', count: 1, cursor: null });
  return { query, criteria: filter, ...order, offset: 0, limit };
}

/** A claimed name, in one of the ways in which it can be written. */
function spell(random: () => number): string {
  const stem = STEMS[Math.floor(random() * STEMS.length)] ?? 'uni/base';
  const name = random() < 0.3 ? `${stem}${Math.floor(random() * 50)}` : stem;
  return Array.from(name, (letter) => {
    const way = random();
    if (way < 0.8) return letter;
    if (way < 0.88) return letter.toUpperCase();
    const code = letter.codePointAt(0) ?? 0;
    if (way < 0.94) return `%${code.toString(16).padStart(2, '0')}`;
    return String.fromCodePoint(code + 0xfee0);
  }).join('');
}

const isClaimed = (name: string) => /^(?:uni\/|lab-)/.test(normalizeName(name));

describe('a registry that answers every name with version 99.0.0', () => {
  it(`wins no name that another one claims, in ${RESOLUTIONS} resolutions, whether that one is there or not`, async () => {
    const random = createRandom(4711);
    const rogue = new RogueSource(random);
    const rows = ['uni/base', 'uni/course', 'uni/gpu/cuda', 'uni/child'].map((name) => ({
      ...{ name, version: '1.0.0', title: 'uni base course', category: 'ml', parent: 'uni/base' },
      dependencies: [{ name: 'uni/course' }],
    }));
    const university = new FullSource({ name: 'university', rank: 1, rows, info: { claims: ['uni/*'] } });
    // Not everybody sees it, and it has none of the names that it claims.
    const info = { claims: ['lab-*'], access: { roles: ['physicist'], groups: [] } };
    const laboratory = new FullSource({ name: 'laboratory', rank: 2, rows: [], info });
    const sources = [rogue, university, laboratory];
    const federation = createFederation({ sources, search: SEARCH, secrets: ['a secret of the tests of claims'] });

    const found: Template[] = [];
    let silent = 0;
    const collect = async (work: () => Promise<readonly (Template | null)[]>) => {
      try {
        found.push(...(await work()).filter((template) => template !== null));
      } catch (error) {
        if (!(error instanceof RegistriesUnavailable)) throw error;
        silent += 1;
      }
    };
    for (let round = 0; round < RESOLUTIONS; round += 1) {
      if (random() < 0.3) university.lose();
      else university.regain();
      const view = federation.viewFor(ANYONE);
      const name = spell(random);
      await collect(() => resolve(view, name, random));
    }
    const won = found.filter(({ registryName, name }) => registryName === 'rogue' && isClaimed(name));
    expect(won.map(({ name }) => name)).toEqual([]);
    // It was there all the time, and answers for names that nobody claims; the claiming one was found, and missed.
    expect(found.filter(({ registryName }) => registryName === 'university').length).toBeGreaterThan(1_000);
    expect(silent).toBeGreaterThan(100);
    const free = await federation.viewFor(ANYONE).lookUpTemplate('anything', null, null);
    expect(free).toMatchObject({ registryName: 'rogue', version: '99.0.0' });
    await federation.close();
  });
});

/** One of the ways in which a name leads to templates. */
async function resolve(
  view: FederationView,
  name: string,
  random: () => number,
): Promise<readonly (Template | null)[]> {
  const page = { direction: random() < 0.5 ? 'FORWARD' : 'BACKWARD', count: 10, cursor: null } as const;
  switch (Math.floor(random() * 7)) {
    case 0:
      return [await view.lookUpTemplate(name, null, null)];
    case 1:
      return [await view.lookUpTemplate(name, '99.0.0', null)];
    case 2:
      return [await view.lookUpTemplate(name, null, 'rogue')];
    case 3: {
      const field = random() < 0.5 ? 'POPULARITY' : 'UPDATED';
      const result = await view.search(requestOf({ field, collapse: random() < 0.5 }, page));
      return result.edges.map(({ template }) => template);
    }
    case 4: {
      const result = await view.search(requestOf({ query: 'uni base', field: 'RELEVANCE' }, page));
      return result.edges.map(({ template }) => template);
    }
    case 5: {
      const child = await view.lookUpTemplate('uni/child', null, null);
      if (child === null) return [];
      const { entries } = await view.sourcesOf(child);
      expect(entries.map(({ registry }) => registry.source.info.name)).toEqual(['university']);
      const dependencies = child.dependencies.map((each) => view.lookUpTemplate(each.name, null, null));
      return [child, await view.parentOf(child), ...(await Promise.all(dependencies))];
    }
    default: {
      // What the rogue may provide leads to no claimed name of its own either.
      const free = await view.lookUpTemplate('free', null, 'rogue');
      if (free === null) return [];
      return [await view.parentOf(free), ...(await view.alternativesTo(free, 3))];
    }
  }
}
