/** What the benchmarks' registries hold and what is searched for: made by a seeded generator, so that each run is alike. */

/** Words of titles and descriptions; a query is some of them. */
const VOCABULARY: readonly string[] = (
  'python genomics climate imaging cluster notebook pipeline container analysis training inference alignment ' +
  'variant spectra molecule docking lattice plasma neutron survey ocean glacier polymer battery ' +
  'quantum circuit tensor cohort protein genome neuron corpus'
).split(' ');

/** Stands in every template: a query for it finds the whole catalogue. */
export const WORD_OF_ALL = 'environment';

/** Each template holds each word of the vocabulary with this probability: some six, and one of two words in a third of them. */
const SHARE_OF_WORDS = 0.19;
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

export interface CatalogOptions {
  /** Every so many templates one has a name that the registry's neighbour (0 and 1, 2 and 3, ...) carries too. Absent: none. */
  readonly sharedEvery?: number;
}

/**
 * `count` templates as on the wire, some 730 bytes each with the digest that the registry adds: twenty members. No other registry (another `registryIndex`) has
 * one of the names, unless they are to be shared.
 */
export function generateTemplates(
  registryIndex: number,
  count: number,
  { sharedEvery }: CatalogOptions = {},
): readonly Record<string, unknown>[] {
  const random = createRandom(registryIndex + 1);
  const pick = (values: readonly string[]) => values[Math.floor(random() * values.length)] ?? '';
  return Array.from({ length: count }, (_, index) => {
    const words = VOCABULARY.filter(() => random() < SHARE_OF_WORDS);
    const [first = 'plain', second = 'plain', third = 'plain'] = words;
    const isShared = sharedEvery !== undefined && index % sharedEvery === 0;
    return {
      name: isShared
        ? `pair-${Math.floor(registryIndex / 2)}/shared-${index}`
        : `lab-${registryIndex}/${first}-${index}`,
      version: `1.${index % 10}.0`,
      title: `${first} ${second}`,
      description: `${words.join(' ')} ${WORD_OF_ALL}`,
      category: pick(CATEGORIES),
      domain: pick(DOMAINS),
      complexity: pick(COMPLEXITIES),
      tags: [first, second],
      keywords: [third],
      license: pick(LICENSES),
      author: `Group ${Math.floor(random() * 40)}`,
      homepage: `https://lab-${registryIndex}.example/${index}`,
      repository: `https://git.example/${registryIndex}/${index}`,
      base: 'ubuntu-24.04',
      architectures: ['x86_64', 'arm64'],
      package_manager: 'conda',
      connection_types: ['ssh', 'web'],
      estimated_launch_time: 1 + (index % 30),
      updated_at: new Date(1_750_000_000_000 + Math.floor(random() * 30_000_000) * 1000).toISOString(),
      marketplace: {
        downloads: Math.floor(random() * 1_000_000),
        rating: Math.round(random() * 50) / 10,
        verified: random() < 0.5,
      },
    };
  });
}

/**
 * The query of a number, another number another query: two words of the vocabulary and one that no template holds. No template
 * has all three, so that a registry finds those which have one of the two.
 */
export function generateQuery(number: number): string {
  const size = VOCABULARY.length;
  const first = number % size;
  const second = (first + 1 + (Math.floor(number / size) % (size - 1))) % size;
  return `${VOCABULARY[first]} ${VOCABULARY[second]} nr${number}`;
}
