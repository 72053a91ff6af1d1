/** Collects what the answers of one view are worth later. */
import type { Answer } from '../domain/registry.ts';
import type { Freshness, SearchResult } from './answers.ts';

/** Lists of names are kept longer than answers; what was judged by one is believed for so long at most. */
const CATALOG_VERDICT_MS = 300_000;

export class FreshnessRecord implements Freshness {
  freshUntilMs = Number.POSITIVE_INFINITY;
  readonly registryNames = new Set<string>();
  /** The view, and so all that it asks itself, is not older. */
  sinceMs = performance.now();

  noteAnswer(registryName: string, { freshUntilMs }: Pick<Answer<unknown>, 'freshUntilMs'>): void {
    this.registryNames.add(registryName);
    if (freshUntilMs < this.freshUntilMs) this.freshUntilMs = freshUntilMs;
  }

  /** A registry did not answer: it may at any time. */
  noteSilence(registryName: string): void {
    this.noteAnswer(registryName, { freshUntilMs: 0 });
  }

  /** A list of names stood for the registry's answer. */
  noteCatalogVerdict(registryName: string): void {
    this.noteAnswer(registryName, { freshUntilMs: Date.now() + CATALOG_VERDICT_MS });
  }

  /** `sinceMs`: when the search was begun, by whomever (`performance.now()`). */
  noteSearch({ freshUntilMs, reports }: SearchResult, collapse: boolean, sinceMs: number): void {
    for (const { registry } of reports) this.noteAnswer(registry.source.info.name, { freshUntilMs });
    if (collapse) for (const { registry } of reports) this.noteCatalogVerdict(registry.source.info.name);
    if (sinceMs < this.sinceMs) this.sinceMs = sinceMs;
  }
}
