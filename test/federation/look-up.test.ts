import { describe, expect, it } from 'vitest';
import { RegistriesUnavailable, TemplateWithdrawn } from '../../src/domain/errors.ts';
import type { Template } from '../../src/domain/template.ts';
import type { FederationView } from '../../src/federation/answers.ts';
import { createFederation } from '../../src/federation/federation.ts';
import { CatalogSource, type CatalogSourceOptions } from '../helpers/catalog-source.ts';
import type { WireTemplate } from '../helpers/faulty-registry-catalog.ts';
import { FullSource } from '../helpers/full-source.ts';
import { createRandom, requestOf } from '../helpers/walks.ts';

const SEARCH = { timeout: 5000, maxPageSize: 100, window: 50, scan: 2000, drain: { rows: 10_000, requests: 40 } };
const ANYONE = { authenticated: false, subject: null, roles: [], groups: [] };

type Rows = readonly (Partial<WireTemplate> & { readonly name: string })[];

function open(registries: Readonly<Record<string, Rows>>, infos: Record<string, CatalogSourceOptions['info']> = {}) {
  const sources = Object.entries(registries).map(([name, rows], rank) => {
    const info = infos[name];
    const versioned = rows.map((row) => ({ version: '1.0.0', ...row }));
    return new FullSource({ name, rank, rows: versioned, ...(info === undefined ? {} : { info }) });
  });
  const federation = createFederation({ sources, search: SEARCH, secrets: ['a secret of the look-up tests'] });
  const byName = Object.fromEntries(sources.map((source) => [source.info.name, source]));
  return { ...byName, sources, view: () => federation.viewFor(ANYONE) };
}

const show = (template: Template | null) => (template === null ? null : `${template.registryName} ${template.version}`);

async function look(view: FederationView, name: string, version: string | null = null, registry: string | null = null) {
  return show(await view.lookUpTemplate(name, version, registry));
}

async function templateOf(view: FederationView, name: string, registry: string): Promise<Template> {
  const template = await view.lookUpTemplate(name, null, registry);
  if (template === null) throw new Error('the template must be there');
  return template;
}

async function silenceOf(work: Promise<unknown>): Promise<string[]> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RegistriesUnavailable))
    throw new Error(`registries must be unavailable, it was ${String(error)}`);
  return error.failures.map(({ registryName }) => registryName);
}

describe('a look-up without a registry', () => {
  const ROWS = {
    first: [{ name: 'only-first' }, { name: 'both', version: '1.0.0' }],
    second: [{ name: 'both', version: '2.0.0' }, { name: 'only-second' }],
    third: [{ name: 'both', version: '3.0.0' }, { name: 'only-third' }],
  };

  it('is answered by the first registry in resolution order that has the name', async () => {
    const { view } = open(ROWS);
    expect(await look(view(), 'both')).toBe('first 1.0.0');
    expect(await look(view(), 'only-third')).toBe('third 1.0.0');
    expect(await look(view(), 'nowhere')).toBeNull();
  });

  it('is refused while an earlier registry is silent: a later one must not answer for it', async () => {
    const { sources, view } = open(ROWS);
    sources[0]?.lose();
    expect(await silenceOf(look(view(), 'only-second'))).toEqual(['first']);
    expect(await silenceOf(look(view(), 'both'))).toEqual(['first']);
    expect(await silenceOf(look(view(), 'nowhere'))).toEqual(['first']);
  });

  it('does not wait for what a later registry says', async () => {
    const { sources, view } = open(ROWS);
    sources[2]?.lose();
    expect(await look(view(), 'both')).toBe('first 1.0.0');
    expect(await look(view(), 'only-second')).toBe('second 1.0.0');
    expect(await silenceOf(look(view(), 'only-third'))).toEqual(['third']);
  });

  it('of a version that the first registry with the name does not have is null: no later one may answer', async () => {
    const { view } = open(ROWS);
    expect(await look(view(), 'both', '1.0.0')).toBe('first 1.0.0');
    expect(await look(view(), 'both', '2.0.0')).toBeNull();
    expect(await look(view(), 'only-second', '1.0.0')).toBe('second 1.0.0');
    expect(await look(view(), 'only-second', '9.9.9')).toBeNull();
  });

  it('in one registry asks that one alone', async () => {
    const { sources, view } = open(ROWS);
    sources[0]?.lose();
    expect(await look(view(), 'both', null, 'second')).toBe('second 2.0.0');
    expect(await look(view(), 'only-third', null, 'second')).toBeNull();
    expect(await silenceOf(look(view(), 'both', null, 'first'))).toEqual(['first']);
    expect(sources[2]?.rows.asked).toEqual([]);
  });

  it('in a registry that there is not names the nearest', async () => {
    const { view } = open(ROWS);
    await expect(look(view(), 'both', null, 'secnd')).rejects.toThrow(/"secnd" is none of them. Did you mean "second"/);
  });

  it('tells what was withdrawn from what never was', async () => {
    const { view } = open({
      first: [{ name: 'gone', version: '2.0.0', withdrawn_at: '2025-01-01T00:00:00Z' }],
      second: [{ name: 'gone', version: '1.0.0' }],
    });
    await expect(look(view(), 'gone')).rejects.toBeInstanceOf(TemplateWithdrawn);
    expect(await look(view(), 'gone', null, 'second')).toBe('second 1.0.0');
  });

  it('asks each registry once for equal look-ups of one request', async () => {
    const { sources, view } = open(ROWS);
    const current = view();
    await Promise.all(Array.from({ length: 100 }, () => look(current, 'only-third')));
    await look(current, 'only-third');
    expect(sources.map((source) => source.rows.asked.length)).toEqual([1, 1, 1]);
    await look(view(), 'only-third');
    expect(sources.map((source) => source.rows.asked.length)).toEqual([2, 2, 2]);
  });
});

describe('claims', () => {
  it('keep a rogue registry from winning any of 10,000 look-ups, whatever it says and however the name is written', async () => {
    const random = createRandom(99);
    const registries = ['rogue', 'uni', 'lab', 'open'];
    const claims: Readonly<Record<string, string>> = { uni: 'uni/*', lab: 'lab-*' };
    const rows = Array.from({ length: 40 }, (_, index) => index);
    const catalog: Record<string, Rows> = {
      rogue: [],
      uni: rows.map((index) => ({ name: `uni/${index}`, version: `1.0.${index}` })),
      lab: rows.map((index) => ({ name: `lab-${index}`, version: `1.0.${index}` })),
      open: rows.map((index) => ({ name: `open-${index}`, version: `1.0.${index}` })),
    };
    const infos = Object.fromEntries(Object.entries(claims).map(([name, glob]) => [name, { claims: [glob] }]));
    const { sources, view } = open(catalog, infos);
    const [rogue] = sources;
    if (rogue === undefined) throw new Error('the rogue registry must be there');
    rogue.fetchTemplate = (name) =>
      new CatalogSource({ name: 'rogue', rank: 0, rows: [{ name, version: '99.0.0' }] }).fetchTemplate(name, null);
    const spellings: readonly ((name: string) => string)[] = [
      (name) => name,
      (name) => name.toUpperCase(),
      (name) => name.replace(/^./, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
      (name) => name.replace(/[a-z]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0)),
      (name) => encodeURIComponent(encodeURIComponent(name)),
    ];
    let won = 0;
    let wonUnclaimed = 0;
    for (let round = 0; round < 100; round += 1) {
      for (const source of sources) if (source !== rogue && random() < 0.2) source.lose();
      const current = view();
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, async () => {
          const kind = registries[1 + Math.floor(random() * 3)] ?? 'open';
          const base = catalog[kind]?.[Math.floor(random() * 40)]?.name ?? 'uni/unknown';
          const name = spellings[Math.floor(random() * spellings.length)]?.(base) ?? base;
          const version = random() < 0.3 ? '99.0.0' : null;
          const found = await look(current, name, version, random() < 0.2 ? 'rogue' : null).catch(() => null);
          return { isClaimed: kind !== 'open', isRogue: found?.startsWith('rogue') === true };
        }),
      );
      won += outcomes.filter(({ isClaimed, isRogue }) => isClaimed && isRogue).length;
      wonUnclaimed += outcomes.filter(({ isClaimed, isRogue }) => !isClaimed && isRogue).length;
      for (const source of sources) source.regain();
    }
    expect(won).toBe(0);
    expect(wonUnclaimed).toBeGreaterThan(1000);
  });

  it('hold while the claiming registry is down: silence, not another registry', async () => {
    const { sources, view } = open(
      { rogue: [{ name: 'uni/course', version: '99.0.0' }], uni: [{ name: 'uni/course' }] },
      { uni: { claims: ['uni/*'] } },
    );
    expect(await look(view(), 'uni/course')).toBe('uni 1.0.0');
    sources[1]?.lose();
    expect(await silenceOf(look(view(), 'uni/course'))).toEqual(['uni']);
  });

  it('hold in searches: the entry of another registry is neither shown nor counted as a source', async () => {
    const { view } = open(
      {
        rogue: [{ name: 'uni/course', version: '99.0.0', downloads: 1e6 }, { name: 'free' }],
        uni: [{ name: 'uni/course' }],
      },
      { uni: { claims: ['uni/*'] } },
    );
    const page = { direction: 'FORWARD', count: 50, cursor: null } as const;
    for (const collapse of [true, false]) {
      const { edges } = await view().search(requestOf({ collapse }, page));
      expect(edges.map(({ template }) => show(template)).sort()).toEqual(['rogue 1.0.0', 'uni 1.0.0']);
    }
    const { entries } = await view().sourcesOf(await templateOf(view(), 'uni/course', 'uni'));
    expect(entries.map(({ registry }) => registry.source.info.name)).toEqual(['uni']);
  });

  it('hold for parents', async () => {
    const { sources, view } = open(
      {
        rogue: [
          { name: 'child', parent: 'uni/base' },
          { name: 'uni/base', version: '99.0.0' },
        ],
        uni: [{ name: 'uni/base' }],
      },
      { uni: { claims: ['uni/*'] } },
    );
    const child = await templateOf(view(), 'child', 'rogue');
    expect(show(await view().parentOf(child))).toBe('uni 1.0.0');
    sources[1]?.lose();
    expect(await silenceOf(view().parentOf(child))).toEqual(['uni']);
  });
});

describe('the sources of a template', () => {
  const ROWS = {
    first: [{ name: 'both', version: '1.0.0' }, { name: 'alone' }],
    second: [{ name: 'both', version: '2.0.0' }, { name: 'other' }],
    third: [{ name: 'both', version: '3.0.0' }],
  };
  const infos = { third: { namespace: 'elsewhere' } };

  it('are all registries of its namespace that carry its name, the canonical one first', async () => {
    const { view } = open(ROWS, infos);
    const current = view();
    const { entries, complete } = await current.sourcesOf(await templateOf(current, 'both', 'second'));
    expect(entries.map(({ registry, version, canonical }) => [registry.source.info.name, version, canonical])).toEqual([
      ['first', '1.0.0', true],
      ['second', '2.0.0', false],
    ]);
    expect(complete).toBe(true);
  });

  it('are incomplete when a registry is silent, and none the less given', async () => {
    const { sources, view } = open(ROWS, infos);
    const current = view();
    const template = await templateOf(current, 'both', 'second');
    sources[0]?.lose();
    const { entries, complete } = await current.sourcesOf(template);
    expect(entries.map(({ registry, canonical }) => [registry.source.info.name, canonical])).toEqual([
      ['second', true],
    ]);
    expect(complete).toBe(false);
  });

  it('of a whole page are asked for in one request a registry', async () => {
    const names = Array.from({ length: 40 }, (_, index) => ({ name: `n${index}` }));
    const { sources, view } = open({ first: names, second: names.slice(0, 30), third: names.slice(10) });
    const current = view();
    const { edges } = await current.search(
      requestOf({ field: 'NAME', collapse: true }, { direction: 'FORWARD', count: 40, cursor: null }),
    );
    for (const source of sources) source.rows.asked.length = 0;
    const all = await Promise.all(edges.map(({ template }) => current.sourcesOf(template)));
    expect(sources.map((source) => source.rows.asked.length)).toEqual([0, 1, 1]);
    expect(all.map(({ entries }) => entries.length).reduce((sum, count) => sum + count, 0)).toBe(40 + 30 + 30);
  });

  it('are found one by one in a registry that ignores names', async () => {
    const { sources, view } = open(ROWS);
    sources[1]?.rows.catalog.behave({ claimsTotalOrder: true, ignoresNames: true });
    const current = view();
    const templates = await Promise.all(['both', 'alone'].map((name) => templateOf(current, name, 'first')));
    const all = await Promise.all(templates.map((template) => current.sourcesOf(template)));
    expect(all.map(({ entries }) => entries.map(({ registry }) => registry.source.info.name))).toEqual([
      ['first', 'second', 'third'],
      ['first'],
    ]);
  });
});

describe('what hangs on a template', () => {
  it('comes from its own registry: versions newest first, and its document', async () => {
    const { view } = open({
      first: [{ name: 'both', version: '9.0.0' }],
      second: [
        { name: 'both', version: '1.0.0' },
        { name: 'both', version: '1.10.0' },
        { name: 'both', version: '1.9.0' },
      ],
    });
    const template = await templateOf(view(), 'both', 'second');
    const versions = await view().versionsOf(template);
    expect(versions?.map(({ version }) => version)).toEqual(['1.10.0', '1.9.0', '1.0.0']);
    const content = await view().contentOf(template);
    expect(Buffer.from(content?.bytes ?? []).toString()).toMatch(/^second both/);
  });

  it('its parent follows resolution order, and an earlier registry that is silent is no "none"', async () => {
    const { sources, view } = open({
      first: [{ name: 'base', version: '1.0.0' }],
      second: [
        { name: 'child', parent: 'base' },
        { name: 'base', version: '2.0.0' },
        { name: 'orphan', parent: 'nowhere' },
      ],
    });
    const [child, orphan, base] = await Promise.all(
      ['child', 'orphan', 'base'].map((name) => templateOf(view(), name, 'second')),
    );
    if (child === undefined || orphan === undefined || base === undefined)
      throw new Error('three templates are needed');
    expect(show(await view().parentOf(child))).toBe('first 1.0.0');
    expect(await view().parentOf(orphan)).toBeNull();
    expect(await view().parentOf(base)).toBeNull();
    sources[0]?.lose();
    expect(await silenceOf(view().parentOf(child))).toEqual(['first']);
  });

  it('its alternatives are the popular ones of its category, without itself, what is deprecated or withdrawn', async () => {
    const ml = { category: 'ml' };
    const { view } = open({
      first: [
        { name: 'self', ...ml, downloads: 100 },
        { name: 'old', ...ml, downloads: 90, deprecated: true },
        { name: 'gone', ...ml, downloads: 80, withdrawn_at: '2025-01-01T00:00:00Z' },
        { name: 'good', ...ml, downloads: 70 },
        { name: 'other', category: 'bio', downloads: 1000 },
      ],
      second: [
        { name: 'self', ...ml, downloads: 5000 },
        { name: 'better', ...ml, downloads: 75 },
      ],
    });
    const alternatives = await view().alternativesTo(await templateOf(view(), 'self', 'first'), 5);
    expect(alternatives.map(({ name }) => name)).toEqual(['better', 'good']);
  });

  it('categories are merged by name, in resolution order, and a silent registry leaves its counts out', async () => {
    const { sources, view } = open({
      first: [
        { name: 'a', category: 'ml' },
        { name: 'b', category: 'bio' },
      ],
      second: [
        { name: 'c', category: 'ml' },
        { name: 'd', category: 'ml' },
      ],
    });
    const showCategories = async (names: readonly string[] | null) =>
      (await view().categories(names)).map(({ name, count, registries }) => [
        name,
        count,
        registries.map(({ source }) => source.info.name).join(),
      ]);
    expect(await showCategories(null)).toEqual([
      ['ml', 3, 'first,second'],
      ['bio', 1, 'first'],
    ]);
    expect(await showCategories(['second', 'second'])).toEqual([['ml', 2, 'second']]);
    sources[1]?.lose();
    expect(await showCategories(null)).toEqual([
      ['bio', 1, 'first'],
      ['ml', 1, 'first'],
    ]);
    await expect(showCategories(['secod'])).rejects.toThrow(/Did you mean "second"/);
  });
});
