/** What the benchmarks' registries hold and what is searched for: made by a seeded generator, so that each run is alike. */

/** Words of titles and descriptions; a query is some of them. */
const VOCABULARY: readonly string[] = (
  'python genomics climate imaging cluster notebook pipeline container analysis training inference alignment assembly ' +
  'variant expression spectra molecule docking folding lattice plasma neutron telescope survey satellite ocean glacier ' +
  'hydrology sediment catalyst polymer battery photon laser quantum circuit tensor gradient bayes regression cohort ' +
  'protein enzyme genome microbe neuron cortex connectome retina tumour biopsy register census economy corpus syntax ' +
  'archive manuscript portrait simulation mesh turbulence'
).split(' ');

/** Stands in every template: a query for it finds the whole catalogue. */
export const WORD_OF_ALL = 'environment';

/** Each template holds each word of the vocabulary with this probability: two words are found in a quarter of a catalogue. */
const SHARE_OF_WORDS = 0.5;
const CATEGORIES = ['ml', 'bioinformatics', 'climate', 'chemistry', 'imaging', 'hpc'];
const DOMAINS = ['life-sciences', 'earth', 'physics', 'humanities'];
const LICENSES = ['MIT', 'Apache-2.0', 'BSD-3-Clause', 'GPL-3.0-only'];
const COMPLEXITIES = ['simple', 'moderate', 'advanced', 'complex'];

/** mulberry32: 32 bits of state are plenty for data that only has to look unlike itself. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * `count` templates as on the wire, about 1 kB each: twenty members and a description of some thirty words. No other registry
 * (another `registryIndex`) has one of the names.
 */
export function generateTemplates(registryIndex: number, count: number): readonly Record<string, unknown>[] {
  const random = createRandom(registryIndex + 1);
  const pick = (values: readonly string[]) => values[Math.floor(random() * values.length)] ?? '';
  return Array.from({ length: count }, (_, index) => {
    const words = VOCABULARY.filter(() => random() < SHARE_OF_WORDS);
    const [first = 'plain', second = 'plain', third = 'plain'] = words;
    return {
      name: `lab-${registryIndex}/${first}-${second}-${index}`,
      version: `1.${index % 10}.0`,
      title: `${first} ${second} ${third}`,
      description: `${words.join(' ')} ${WORD_OF_ALL}`,
      category: pick(CATEGORIES),
      domain: pick(DOMAINS),
      complexity: pick(COMPLEXITIES),
      tags: words.slice(0, 3),
      keywords: words.slice(3, 6),
      license: pick(LICENSES),
      author: `Group ${Math.floor(random() * 40)}`,
      homepage: `https://lab-${registryIndex}.example/${index}`,
      repository: `https://git.example/lab-${registryIndex}/${index}`,
      base: 'ubuntu-24.04',
      architectures: ['x86_64', 'arm64'],
      package_manager: 'conda',
      connection_types: ['ssh', 'web'],
      estimated_launch_time: 1 + (index % 30),
      created_at: '2025-01-01T00:00:00Z',
      updated_at: new Date(1_750_000_000_000 + Math.floor(random() * 30_000_000) * 1000).toISOString(),
      marketplace: {
        downloads: Math.floor(random() * 1_000_000),
        rating: Math.round(random() * 50) / 10,
        rating_count: Math.floor(random() * 500),
        verified: random() < 0.5,
      },
    };
  });
}

/**
 * The query of a number: two words of the vocabulary in one order, another number another query. There are 3,782 of them;
 * `generateLongQuery` has more.
 */
export function generateQuery(number: number): string {
  const size = VOCABULARY.length;
  const first = number % size;
  const second = (first + 1 + (Math.floor(number / size) % (size - 1))) % size;
  return `${VOCABULARY[first]} ${VOCABULARY[second]}`;
}

/** As `generateQuery`, of three words: 230,000 of them, each found in an eighth of a catalogue. */
export function generateLongQuery(number: number): string {
  const size = VOCABULARY.length;
  const pairs = size * (size - 1);
  return `${generateQuery(number)} ${VOCABULARY[Math.floor(number / pairs) % size]}`;
}
