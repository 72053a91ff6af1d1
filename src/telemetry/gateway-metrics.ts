/**
 * What the gateway counts of its own work, over the last minute, five minutes and hour, and since its start. Memory is
 * bounded, whatever clients ask for.
 */
import type { LatencySummary } from '../domain/registry.ts';
import {
  type CountedError,
  type InstallationCount,
  type InstallationOutcome,
  type NamedTemplate,
  type TemplateUse,
  UsagePart,
  type UsageSlice,
} from './usage-part.ts';
import { Windows } from './windows.ts';

interface NamedCount {
  readonly name: string;
  readonly count: number;
}

/** Whether a caller may be told of a registry, by its name. */
export type MaySee = (registryName: string) => boolean;

interface GatewayMetricsReading {
  readonly searches: number;
  readonly responseTime: LatencySummary;
  readonly errorRate: number | null;
  readonly errors: readonly NamedCount[];
  readonly installations: readonly NamedCount[];
  readonly popularTemplates: readonly Readonly<TemplateUse>[];
}

/** All that was counted since the start. */
interface GatewayTotals {
  readonly searches: UsagePart['searches'];
  readonly operations: number;
  readonly failedOperations: number;
  /** By code. */
  readonly errors: readonly NamedCount[];
  /** By registry. */
  readonly views: readonly (readonly [registryName: string, count: number])[];
  readonly installations: readonly InstallationCount[];
}

export interface GatewayMetrics {
  /** A search that was answered, and how long it took in milliseconds. */
  countSearch(tookMs: number): void;
  /** An operation that came to its end, with its errors. */
  countOperation(errors: readonly CountedError[]): void;
  /** An operation without errors, and as many searches that each took so long: what an answer stands for that is given again. */
  countOperationAgain(searches: number, tookMs: number): void;
  /** A template that was looked up. */
  countView(template: NamedTemplate): void;
  /** A client said how an installation ended. */
  countInstallation(outcome: InstallationOutcome, template: NamedTemplate): void;
  /**
   * What was counted in the last `windowMs` milliseconds, an hour at most. What comes of registries is left out as far as
   * `maySee` says no; searches, their times and all other errors are those of the whole gateway.
   */
  read(windowMs: number, maySee: MaySee): GatewayMetricsReading;
  /** What was counted since the start, with the same left out. */
  readTotals(maySee: MaySee): GatewayTotals;
  /** The minutes of the last hour, the oldest first, so that they can be kept; the one under way as far as it is. */
  exportSlices(): readonly UsageSlice[];
  /** Takes slices of an earlier run into the windows, once, before anything is counted. Those that are too old are passed over. */
  restoreSlices(slices: readonly UsageSlice[]): void;
}

/** Makes the counters. `now` is the clock, in milliseconds. */
export function createGatewayMetrics(now: () => number = Date.now): GatewayMetrics {
  const createSum = () => new UsagePart(Number.POSITIVE_INFINITY);
  const windows = new Windows(now, () => new UsagePart(), createSum);
  return {
    countSearch: (tookMs) => windows.current.searches.record(tookMs),
    countOperation: (errors) => windows.current.countOperation(errors),
    countOperationAgain: (searches, tookMs) => {
      // One look at the clock for all of it.
      const { current } = windows;
      current.operations += 1;
      for (let search = 0; search < searches; search += 1) current.searches.record(tookMs);
    },
    countView: (template) => windows.current.countView(template),
    countInstallation: (outcome, template) => windows.current.countInstallation(outcome, template),
    read(windowMs, maySee) {
      const sum = createSum();
      for (const part of windows.since(windowMs)) sum.add(part);
      return describe(sum, maySee);
    },
    readTotals(maySee) {
      const { searches, operations, views, failedOperations, errors, ...total } = narrow(windows.total(), maySee);
      return {
        ...{ searches, operations, views, installations: total.installations },
        failedOperations: sum(failedOperations, ({ count }) => count),
        errors: addUp(errors, ({ code }) => code),
      };
    },
    exportSlices: () => windows.listMinutes().map(({ startMs, part }) => part.toSlice(startMs)),
    restoreSlices(slices) {
      for (const slice of slices) {
        const part = new UsagePart();
        part.addSlice(slice);
        windows.addMinute(slice.startMs, part);
      }
    },
  };
}

/** What a caller may be told of a part. */
function narrow(part: UsagePart, maySee: MaySee) {
  const isTold = ({ registryNames }: CountedError) => registryNames.every(maySee);
  const isVisible = ({ registryName }: { readonly registryName: string }) => maySee(registryName);
  return {
    searches: part.searches,
    operations: part.operations,
    failedOperations: part.failedOperations.list().filter(isTold),
    errors: part.errors.list().filter(isTold),
    views: [...part.views].filter(([registryName]) => maySee(registryName)),
    installations: part.listInstallations().filter(isVisible),
    templates: part.listTemplates().filter(isVisible),
  };
}

function describe(part: UsagePart, maySee: MaySee): GatewayMetricsReading {
  const { searches, operations, failedOperations, errors, installations, templates } = narrow(part, maySee);
  return {
    searches: searches.total,
    responseTime: searches.summarize(),
    errorRate: operations === 0 ? null : sum(failedOperations, ({ count }) => count) / operations,
    errors: addUp(errors, ({ code }) => code),
    installations: addUp(installations, ({ outcome }) => outcome),
    popularTemplates: templates.sort(
      (one, other) =>
        other.views - one.views || compare(one.name, other.name) || compare(one.registryName, other.registryName),
    ),
  };
}

function sum<T>(values: readonly T[], read: (value: T) => number): number {
  return values.reduce((total, value) => total + read(value), 0);
}

/** The most frequent first. */
function addUp<T extends { readonly count: number }>(counts: readonly T[], nameOf: (count: T) => string): NamedCount[] {
  const totals = new Map<string, number>();
  for (const each of counts) totals.set(nameOf(each), (totals.get(nameOf(each)) ?? 0) + each.count);
  return [...totals]
    .filter(([, count]) => count > 0)
    .map(([name, count]) => ({ name, count }))
    .sort((one, other) => other.count - one.count || compare(one.name, other.name));
}

function compare(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
