import { type HistogramState, LatencyHistogram } from './latency-histogram.ts';

/** Templates of one registry that are counted in one part of time; later ones of the same part are left out. */
const MAX_TEMPLATES = 100;
/** Kinds of errors that are told apart, by code and registries; more of them than there are would be a defect. */
const MAX_KINDS = 200;
/** No registry has this name: what is counted under it is told to those alone who see everything. */
const UNTOLD: readonly string[] = ['*'];

export type InstallationOutcome = 'SUCCEEDED' | 'FAILED';

export interface NamedTemplate {
  readonly name: string;
  readonly registryName: string;
}

/** An error that a client was told of. */
export interface CountedError {
  readonly code: string;
  /** Whose failure it is; none: it is nobody's but the request's or the gateway's. */
  readonly registryNames: readonly string[];
}

interface CountedKind extends CountedError {
  count: number;
}

export interface TemplateUse extends NamedTemplate {
  views: number;
  installations: number;
}

/** One part of time as data, for a file or a database. JSON keeps it. */
export interface UsageSlice {
  /** On the clock of `Date.now()`. */
  readonly startMs: number;
  readonly searches: HistogramState;
  readonly operations: number;
  /** Operations that failed, by what they failed of: `code` is empty here. */
  readonly failedOperations: readonly Readonly<CountedKind>[];
  readonly errors: readonly Readonly<CountedKind>[];
  readonly templates: readonly Readonly<TemplateUse>[];
  readonly views: readonly (readonly [registryName: string, count: number])[];
  readonly installations: readonly InstallationCount[];
}

export interface InstallationCount {
  readonly registryName: string;
  readonly outcome: InstallationOutcome;
  readonly count: number;
}

/** What the gateway counted of its own work in one part of time. */
export class UsagePart {
  readonly searches = new LatencyHistogram();
  operations = 0;
  readonly failedOperations = new KindCounter();
  readonly errors = new KindCounter();
  /** By registry. */
  readonly views = new Map<string, number>();
  readonly #maxTemplates: number;
  readonly #templates = new Map<string, Map<string, TemplateUse>>();
  readonly #installations = new Map<string, Record<InstallationOutcome, number>>();

  /** `maxTemplates`: of one registry. What sums up parts that are bounded needs no bound of its own. */
  constructor(maxTemplates = MAX_TEMPLATES) {
    this.#maxTemplates = maxTemplates;
  }

  countOperation(errors: readonly CountedError[]): void {
    this.operations += 1;
    if (errors.length === 0) return;
    for (const error of errors) this.errors.count(error, 1);
    // One error that is no registry's, and it would have failed whatever registries there are.
    const isOwn = errors.some(({ registryNames }) => registryNames.length === 0);
    const registryNames = isOwn ? [] : [...new Set(errors.flatMap((error) => error.registryNames))].sort();
    this.failedOperations.count({ code: '', registryNames }, 1);
  }

  countView({ name, registryName }: NamedTemplate): void {
    this.views.set(registryName, (this.views.get(registryName) ?? 0) + 1);
    const use = this.#useOf(registryName, name);
    if (use !== null) use.views += 1;
  }

  countInstallation(outcome: InstallationOutcome, { name, registryName }: NamedTemplate, count = 1): void {
    this.#installationsOf(registryName)[outcome] += count;
    const use = outcome === 'SUCCEEDED' ? this.#useOf(registryName, name) : null;
    if (use !== null) use.installations += count;
  }

  listTemplates(): TemplateUse[] {
    return [...this.#templates.values()].flatMap((uses) => [...uses.values()]);
  }

  listInstallations(): InstallationCount[] {
    return [...this.#installations].flatMap(([registryName, { SUCCEEDED, FAILED }]): InstallationCount[] => [
      { registryName, outcome: 'SUCCEEDED', count: SUCCEEDED },
      { registryName, outcome: 'FAILED', count: FAILED },
    ]);
  }

  add(other: UsagePart): void {
    this.searches.add(other.searches);
    this.#addCounts({
      operations: other.operations,
      failedOperations: other.failedOperations.list(),
      errors: other.errors.list(),
      templates: other.listTemplates(),
      views: [...other.views],
      installations: other.listInstallations(),
    });
  }

  addSlice(slice: UsageSlice): void {
    this.searches.addState(slice.searches);
    this.#addCounts(slice);
  }

  toSlice(startMs: number): UsageSlice {
    return {
      startMs,
      searches: this.searches.toState(),
      operations: this.operations,
      failedOperations: this.failedOperations.list(),
      errors: this.errors.list(),
      templates: this.listTemplates(),
      views: [...this.views],
      installations: this.listInstallations(),
    };
  }

  #addCounts(counts: Omit<UsageSlice, 'startMs' | 'searches'>): void {
    this.operations += counts.operations;
    for (const kind of counts.failedOperations) this.failedOperations.count(kind, kind.count);
    for (const kind of counts.errors) this.errors.count(kind, kind.count);
    for (const [registryName, count] of counts.views) {
      this.views.set(registryName, (this.views.get(registryName) ?? 0) + count);
    }
    for (const { registryName, outcome, count } of counts.installations) {
      this.#installationsOf(registryName)[outcome] += count;
    }
    for (const { registryName, name, views, installations } of counts.templates) {
      const use = this.#useOf(registryName, name);
      if (use === null) continue;
      use.views += views;
      use.installations += installations;
    }
  }

  /** null: too many templates of that registry are counted already. */
  #useOf(registryName: string, name: string): TemplateUse | null {
    let uses = this.#templates.get(registryName);
    if (uses === undefined) {
      uses = new Map();
      this.#templates.set(registryName, uses);
    }
    let use = uses.get(name);
    if (use === undefined) {
      if (uses.size >= this.#maxTemplates) return null;
      use = { name, registryName, views: 0, installations: 0 };
      uses.set(name, use);
    }
    return use;
  }

  #installationsOf(registryName: string): Record<InstallationOutcome, number> {
    let counts = this.#installations.get(registryName);
    if (counts === undefined) {
      counts = { SUCCEEDED: 0, FAILED: 0 };
      this.#installations.set(registryName, counts);
    }
    return counts;
  }
}

/** Counts what has a code and registries. */
class KindCounter {
  readonly #kinds = new Map<string, CountedKind>();
  /** What there was no room for, by code. */
  readonly #rest = new Map<string, CountedKind>();

  count({ code, registryNames }: CountedError, count: number): void {
    const key = registryNames.length === 0 ? code : `${code} ${registryNames.join(' ')}`;
    const kind = this.#kinds.get(key);
    if (kind !== undefined) kind.count += count;
    else if (this.#kinds.size < MAX_KINDS) this.#kinds.set(key, { code, registryNames, count });
    else this.#countRest(code, count);
  }

  /** Codes are a closed set: of these there are few. */
  #countRest(code: string, count: number): void {
    const rest = this.#rest.get(code);
    if (rest !== undefined) rest.count += count;
    else this.#rest.set(code, { code, registryNames: UNTOLD, count });
  }

  list(): readonly Readonly<CountedKind>[] {
    return [...this.#kinds.values(), ...this.#rest.values()];
  }
}
