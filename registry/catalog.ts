/**
 * Every template of the registry, by name, with the versions of each newest first.
 */
import { hash } from 'node:crypto';
import type { Template } from './template.ts';
import { compareVersions } from './versions.ts';

/** A template's document as bytes. */
export interface TemplateDocument {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/** One published version with its document; what answers carry of it is written out once, when first asked for. */
export class PublishedVersion {
  readonly template: Template;
  readonly #readDocument: () => TemplateDocument;
  #document: TemplateDocument | null = null;
  #digest: string | null = null;
  #json: string | null = null;

  /** `readDocument` is called at most once, when the document or its digest is first needed. */
  constructor(template: Template, readDocument: () => TemplateDocument) {
    this.template = template;
    this.#readDocument = readDocument;
  }

  get document(): TemplateDocument {
    this.#document ??= this.#readDocument();
    return this.#document;
  }

  /** "sha256:<hex>" of the document's bytes. */
  get digest(): string {
    this.#digest ??= `sha256:${hash('sha256', this.document.bytes)}`;
    return this.#digest;
  }

  /** The template on the wire, as JSON text. */
  get json(): string {
    this.#json ??= JSON.stringify({ ...this.template.wire, digest: this.digest });
    return this.#json;
  }
}

/** One name with its versions. */
export interface CatalogEntry {
  readonly name: string;
  /** Newest first, never empty. */
  readonly versions: readonly PublishedVersion[];
  /** What is served when no version is asked for: the first that was not withdrawn, or the first when all were. */
  readonly newest: PublishedVersion;
}

/** Mutable: `add` and `remove` make a new revision, and whoever derived something from an older one has to do so again. */
export class Catalog {
  readonly #entries = new Map<string, CatalogEntry>();
  #revision = 0;

  /** Grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): IterableIterator<CatalogEntry> {
    return this.#entries.values();
  }

  find(name: string): CatalogEntry | null {
    return this.#entries.get(name) ?? null;
  }

  /** One version; with null the newest. null when there is none. */
  findVersion(name: string, version: string | null): PublishedVersion | null {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    if (version === null) return entry.newest;
    return entry.versions.find((published) => published.template.version === version) ?? null;
  }

  /** Adds versions; of several with the same name and number the last stays. */
  add(versions: Iterable<PublishedVersion>): void {
    for (const [name, added] of Map.groupBy(versions, (published) => published.template.name)) {
      const known = this.#entries.get(name)?.versions ?? [];
      const byVersion = new Map([...known, ...added].map((published) => [published.template.version, published]));
      this.#setVersions(name, [...byVersion.values()]);
    }
  }

  /** Removes one version, or with null all of them. Says whether there was something to remove. */
  remove(name: string, version: string | null): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    const kept = version === null ? [] : entry.versions.filter((published) => published.template.version !== version);
    if (kept.length === entry.versions.length) return false;
    this.#setVersions(name, kept);
    return true;
  }

  #setVersions(name: string, versions: readonly PublishedVersion[]): void {
    this.#revision += 1;
    const sorted =
      versions.length === 1
        ? versions
        : versions.toSorted((left, right) => compareVersions(left.template, right.template));
    const first = sorted[0];
    if (first === undefined) {
      this.#entries.delete(name);
      return;
    }
    const newest = sorted.find((published) => published.template.withdrawnAt === null) ?? first;
    this.#entries.set(name, { name, versions: sorted, newest });
  }
}
