import type { RowPage, RowRequest } from '../src/domain/registry.ts';
import type { CategoryCount, Template, TemplateVersion } from '../src/domain/template.ts';

/** What mapping needs to know of the registry. */
export interface MappingContext {
  readonly registryName: string;
  readonly popularityScale: number;
}

/**
 * One kind of registry, as data and plain functions: where each thing is (paths after the registry's URL, already encoded)
 * and how its JSON becomes ours. Mapping functions throw when a body is none of the protocol.
 */
export interface RegistryDefinition {
  readonly kind: string;
  /** Asked in turn for a health check until one is there. */
  readonly healthPaths: readonly [string, ...string[]];
  readonly search: {
    buildPath(request: RowRequest): string;
    toPage(body: unknown, context: MappingContext, request: RowRequest): RowPage;
  };
  readonly template: {
    buildPath(name: string, version: string | null): string;
    /** null: it has no usable name or version. */
    toTemplate(body: unknown, context: MappingContext): Template | null;
  };
  readonly versions: {
    buildPath(name: string): string;
    toVersions(body: unknown): readonly TemplateVersion[];
  };
  readonly content: { buildPath(name: string, version: string): string };
  readonly categories: {
    buildPath(): string;
    toCategories(body: unknown): readonly CategoryCount[];
  };
  /** Where documents are sent to, by POST; null: the protocol cannot publish. */
  readonly publish: { buildPath(): string } | null;
}
