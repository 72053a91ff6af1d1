/** Exact look-ups by name, in resolution order. One LookUps is made for each request: it batches and remembers. */
import DataLoader from 'dataloader';
import { RegistriesUnavailable, RegistryFailure, TemplateWithdrawn } from '../domain/errors.ts';
import { NO_CRITERIA } from '../domain/search.ts';
import type { CatalogRow, Template } from '../domain/template.ts';
import type { SourceEntry, TemplateSources, VisibleRegistry } from './answers.ts';
import type { IsClaimedElsewhere } from './claims.ts';
import type { FreshnessRecord } from './freshness-record.ts';
import { ListReader } from './list-reader.ts';
import type { NameCatalog } from './name-catalog.ts';
import type { RegistryTraits } from './traits.ts';

/** What look-ups need to know of the registries, beyond themselves. */
export interface LookUpSetting {
  /** Those the caller sees, in resolution order. */
  readonly registries: readonly VisibleRegistry[];
  readonly isClaimedElsewhere: IsClaimedElsewhere | null;
  readonly timeoutMs: number;
  /** Told of what each registry answered. */
  readonly freshness: FreshnessRecord;
  traitsOf(registryName: string): RegistryTraits;
  catalogOf(registryName: string): NameCatalog;
}

interface LookUpKey {
  readonly name: string;
  readonly version: string | null;
  readonly registryName: string | null;
}

/** Names in one request for the registries that carry them. */
const MAX_NAMES = 50;

/** What a registry says of a name: its newest entry, that it has none, or nothing. */
type Carried =
  | { readonly type: 'CARRIED'; readonly version: string; readonly digest: string | null }
  | { readonly type: 'ABSENT' | 'SILENT' };

export class LookUps {
  readonly #setting: LookUpSetting;
  readonly #templates: DataLoader<LookUpKey, Template | null, string>;
  readonly #carried = new Map<string, DataLoader<string, Carried>>();

  constructor(setting: LookUpSetting) {
    this.#setting = setting;
    this.#templates = new DataLoader(
      (keys) => Promise.all(keys.map((key) => this.#resolve(key).catch((error: unknown) => asError(error)))),
      { cacheKeyFn: ({ name, version, registryName }) => JSON.stringify([name, version, registryName]) },
    );
  }

  /**
   * The template of that name (and version; null: the newest). Without a registry: of the first in resolution order that has
   * the name; a later one is believed only when every earlier one has said that it does not know it. null: nobody has it.
   * Throws RegistriesUnavailable when a registry that comes first is silent, TemplateWithdrawn.
   */
  load(name: string, version: string | null, registryName: string | null): Promise<Template | null> {
    return this.#templates.load({ name, version, registryName });
  }

  async #resolve({ name, version, registryName }: LookUpKey): Promise<Template | null> {
    const asked = this.#setting.registries.filter(
      ({ source }) =>
        (registryName === null || source.info.name === registryName) &&
        !this.#setting.isClaimedElsewhere?.(name, source.info.name),
    );
    // All at once, judged in order: the answer comes as fast as the slowest registry that has to be heard.
    const answers = asked.map((registry) => settle(this.#ask(registry, name, version)));
    for (const answer of answers) {
      const settled = await answer;
      if ('error' in settled) {
        throw settled.error instanceof RegistryFailure ? new RegistriesUnavailable([settled.error]) : settled.error;
      }
      const { value } = settled;
      if (value === 'NAME_UNKNOWN') continue;
      if (value === 'VERSION_UNKNOWN') return null;
      if (value.withdrawnAtMs !== null) throw new TemplateWithdrawn(value.name, value.version);
      return value;
    }
    return null;
  }

  /** A registry that has the name but not the version is where the name belongs: no later one may answer for it. */
  async #ask(
    { source }: VisibleRegistry,
    name: string,
    version: string | null,
  ): Promise<Template | 'NAME_UNKNOWN' | 'VERSION_UNKNOWN'> {
    const options = { deadlineMs: performance.now() + this.#setting.timeoutMs };
    const { freshness } = this.#setting;
    const registryName = source.info.name;
    const answer = await source.fetchTemplate(name, version, options);
    freshness.noteAnswer(registryName, answer);
    if (answer.value !== null) return answer.value;
    if (version === null) return 'NAME_UNKNOWN';
    const newest = await source.fetchTemplate(name, null, options);
    freshness.noteAnswer(registryName, newest);
    return newest.value === null ? 'NAME_UNKNOWN' : 'VERSION_UNKNOWN';
  }

  /** Every visible registry of the template's namespace that carries its name. */
  async sourcesOf(template: Template): Promise<TemplateSources> {
    const own = this.#setting.registries.find(({ source }) => source.info.name === template.registryName);
    const namespace = own?.source.info.namespace;
    const asked = this.#setting.registries.filter(
      ({ source }) =>
        source.info.namespace === namespace && !this.#setting.isClaimedElsewhere?.(template.name, source.info.name),
    );
    const answers = await Promise.all(
      asked.map(async (registry) => ({
        registry,
        carried: registry === own ? toCarried(template) : await this.#carriedBy(registry).load(template.name),
      })),
    );
    const entries: SourceEntry[] = [];
    for (const { registry, carried } of answers) {
      if (carried.type !== 'CARRIED') continue;
      const { version, digest } = carried;
      entries.push({ registry, version, digest, canonical: entries.length === 0 });
    }
    return { entries, complete: answers.every(({ carried }) => carried.type !== 'SILENT') };
  }

  #carriedBy(registry: VisibleRegistry): DataLoader<string, Carried> {
    const { name } = registry.source.info;
    const known = this.#carried.get(name);
    if (known !== undefined) return known;
    const loader = new DataLoader<string, Carried>((names) => this.#askCarried(registry, names), {
      maxBatchSize: MAX_NAMES,
    });
    this.#carried.set(name, loader);
    return loader;
  }

  async #askCarried({ source }: VisibleRegistry, names: readonly string[]): Promise<Carried[]> {
    const catalog = this.#setting.catalogOf(source.info.name);
    const asked = names.filter((name) => catalog.mayCarry(name) !== false);
    if (asked.length < names.length) this.#setting.freshness.noteCatalogVerdict(source.info.name);
    const found = new Map<string, Carried>();
    if (asked.length > 0) {
      try {
        const rows = await this.#readRows({ source }, asked);
        for (const name of asked) found.set(name, rows.get(name) ?? { type: 'ABSENT' });
      } catch (error) {
        if (!(error instanceof RegistryFailure)) throw error;
        this.#setting.freshness.noteSilence(source.info.name);
        for (const name of asked) found.set(name, { type: 'SILENT' });
      }
    }
    return names.map((name) => found.get(name) ?? { type: 'ABSENT' });
  }

  async #readRows(
    { source }: Pick<VisibleRegistry, 'source'>,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, Carried>> {
    const { freshness } = this.#setting;
    const traits = this.#setting.traitsOf(source.info.name);
    const deadlineMs = performance.now() + this.#setting.timeoutMs;
    if (names.length > 1 && !traits.ignoresNames) {
      const list = { query: '', criteria: NO_CRITERIA, order: { field: 'NAME', direction: 'ASC' } } as const;
      const reader = new ListReader(source, list, names.length, traits, deadlineMs);
      const rows: readonly CatalogRow[] = await reader.readNamed([...names].sort());
      freshness.noteAnswer(source.info.name, reader.record);
      if (rows.every((row) => names.includes(row.name))) {
        return new Map(rows.map((row) => [row.name, toCarried(row.template)]));
      }
      traits.ignoresNames = true;
    }
    const answers = await Promise.all(names.map((name) => source.fetchTemplate(name, null, { deadlineMs })));
    for (const answer of answers) freshness.noteAnswer(source.info.name, answer);
    return new Map(answers.flatMap(({ value }) => (value === null ? [] : [[value.name, toCarried(value)] as const])));
  }
}

function toCarried(template: Template): Carried {
  return { type: 'CARRIED', version: template.version, digest: template.digest };
}

/** Never rejects: answers that are not judged, because an earlier one decided, must not fail unheard. */
async function settle<T>(work: Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await work };
  } catch (error) {
    return { error };
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
