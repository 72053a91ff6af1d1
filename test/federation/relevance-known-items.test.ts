import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readFolder } from '../../registry/folder.ts';
import { createRandom } from '../helpers/random.ts';
import {
  type Comparison,
  compareWithCentral,
  type Entry,
  formatComparison,
  indexByMiniSearch,
  indexByReferenceRegistry,
} from './known-item.ts';
import { CATALOGS_FOLDER, CATALOGS_PRESENT, readCatalogs } from './real-catalogs.ts';

/** The quality that is promised: contract 5.8. */
const MARGIN = 0.02;
const INDEXES = [
  { name: 'MiniSearch', build: indexByMiniSearch },
  { name: 'reference registry', build: indexByReferenceRegistry },
];

function expectNoWorseThanCentral(title: string, rows: readonly Comparison[]): void {
  console.log(formatComparison(title, rows));
  const all = rows.find(({ kind }) => kind === 'all');
  expect(all?.queries).toBeGreaterThan(100);
  expect(rows.find(({ kind }) => kind === 'exact name')?.federated).toBeGreaterThanOrEqual(0.99);
  expect(all?.federated).toBeGreaterThanOrEqual((all?.central ?? 1) - MARGIN);
}

function splitAtRandom(entries: readonly Entry[], parts: number): Entry[][] {
  const random = createRandom(99);
  const split = Array.from({ length: parts }, (): Entry[] => []);
  for (const entry of entries) split[Math.floor(random() * parts)]?.push(entry);
  return split;
}

async function readDemoRegistries(): Promise<Entry[][]> {
  let id = 0;
  const folders = ['official', 'community', 'institutional'].map((name) =>
    fileURLToPath(new URL(`../../registry/demo/${name}`, import.meta.url)),
  );
  const readings = await Promise.all(folders.map(readFolder));
  return readings.map(({ versions }) => {
    const byName = new Map(versions.map(({ template }) => [template.name, template]));
    return [...byName.values()].map((template) => {
      id += 1;
      const { name, title, description, keywords, tags, category, domain } = template;
      return { id, name, title, description, keywords, tags, category, domain };
    });
  });
}

if (!CATALOGS_PRESENT) console.log(`Skipped over the real catalogues: they are not at ${CATALOGS_FOLDER}.`);

describe.each(INDEXES)('against one central index ($name)', ({ name, build }) => {
  test('known items of the demo registries are found as well as in one index over everything', async () => {
    const registries = await readDemoRegistries();
    expectNoWorseThanCentral(`demo registries, ${name}`, compareWithCentral(registries, build, 1_000));
  });

  describe.skipIf(!CATALOGS_PRESENT)('over the real catalogues', () => {
    const ITEMS = 150;
    test('known items are found as well when each catalogue is a registry of its own', { timeout: 60_000 }, () => {
      const registries = readCatalogs().slice(0, 6);
      expectNoWorseThanCentral(`six catalogues, ${name}`, compareWithCentral(registries, build, ITEMS));
    });

    test('known items are found as well when everything is dealt to five registries', { timeout: 60_000 }, () => {
      const registries = splitAtRandom(readCatalogs().flat(), 5);
      expectNoWorseThanCentral(`five registries at random, ${name}`, compareWithCentral(registries, build, ITEMS));
    });
  });
});
