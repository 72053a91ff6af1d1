/** schema/template.graphql */
import { RegistriesUnavailable } from '../src/domain/errors.ts';
import { NO_CRITERIA } from '../src/domain/search.ts';
import type {
  SecurityScan,
  Template,
  TemplateBadge,
  TemplateContent,
  TemplateDependency,
  TemplateVersion,
} from '../src/domain/template.ts';
import { checkRange, checkRegistryName, checkRegistryNames, checkValue } from './arguments.ts';
import type { RequestContext } from './context.ts';
import { encodeTemplateId } from './node-id.ts';

/** Most alternatives that can be asked for: enough to choose from, few enough to look for beside each row of a page. */
const MAX_ALTERNATIVES = 20;
/** Largest document that is given as text (the contract's schema). */
const MAX_TEXT_BYTES = 1_000_000;
/** How many names stand beside the error of a look-up, and how long they may take to find. */
const SUGGESTED_NAMES = 3;
const SUGGESTION_TIMEOUT_MS = 500;

interface TemplateArguments {
  readonly name: string;
  readonly version?: string | null;
  readonly registry?: string | null;
}

async function template(_: unknown, given: TemplateArguments, context: RequestContext): Promise<Template | null> {
  const name = checkValue('name', given.name);
  const version = given.version == null ? null : checkValue('version', given.version);
  const registryName = given.registry == null ? null : checkRegistryName('registry', given.registry, context.view);
  try {
    const found = await context.view.lookUpTemplate(name, version, registryName);
    if (found !== null) context.gateway.countView(found);
    return found;
  } catch (error) {
    if (!(error instanceof RegistriesUnavailable)) throw error;
    throw new RegistriesUnavailable(error.failures, await suggestNames(name, error, context));
  }
}

/** Names of other templates, from the registries that did not fail. Empty rather than an error of its own. */
async function suggestNames(
  name: string,
  { failures }: RegistriesUnavailable,
  { view }: RequestContext,
): Promise<readonly string[]> {
  const silent = new Set(failures.map((failure) => failure.registryName));
  const answering = view.registries.map(({ source }) => source.info.name).filter((each) => !silent.has(each));
  if (answering.length === 0) return [];
  try {
    const result = await view.search({
      query: name.replaceAll(/[^\p{L}\p{N}]+/gu, ' ').trim(),
      filter: { ...NO_CRITERIA, registries: answering, registryTypes: null },
      order: { field: 'RELEVANCE', direction: 'DESC' },
      page: { direction: 'FORWARD', count: SUGGESTED_NAMES + 1, cursor: null },
      collapse: true,
      require: [],
      timeoutMs: SUGGESTION_TIMEOUT_MS,
    });
    // The same name of a later registry is what resolution order forbids to serve: it is no alternative either.
    const others = result.edges.map((edge) => edge.template.name).filter((other) => other !== name);
    return [...new Set(others)].slice(0, SUGGESTED_NAMES);
  } catch {
    return [];
  }
}

function describeContent(content: TemplateContent, of: Template, { origin, audit }: RequestContext) {
  const path = [of.registryName, of.name, of.version].map(encodeURIComponent).join('/');
  return {
    text: async () => {
      const text = decodeText(content.bytes);
      const { registryName, name: template, version } = of;
      const entry = { action: 'content.download', registryName, template, version, outcome: 'SUCCEEDED' } as const;
      if (text !== null) await audit.append(entry);
      return text;
    },
    mediaType: content.mediaType,
    bytes: content.bytes.byteLength,
    digest: content.digest,
    url: origin === null ? null : `${origin}/content/${path}`,
  };
}

function decodeText(bytes: Uint8Array): string | null {
  if (bytes.byteLength > MAX_TEXT_BYTES || bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

export const templateResolvers = {
  Query: {
    template,
    categories: (_: unknown, given: { registries?: readonly string[] | null }, { view }: RequestContext) =>
      view.categories(checkRegistryNames('registries', given.registries, view)),
  },
  Template: {
    id: (of: Template) => encodeTemplateId(of.registryName, of.name, of.version),
    withdrawnAt: (of: Template) => of.withdrawnAtMs,
    createdAt: (of: Template) => of.createdAtMs,
    updatedAt: (of: Template) => of.updatedAtMs,
    registry: (of: Template, _: unknown, { view }: RequestContext) => view.registryOf(of),
    sources: async (of: Template, _: unknown, { view }: RequestContext) => (await view.sourcesOf(of)).entries,
    sourcesComplete: async (of: Template, _: unknown, { view }: RequestContext) => (await view.sourcesOf(of)).complete,
    versions: (of: Template, _: unknown, { view }: RequestContext) => view.versionsOf(of),
    parent: (of: Template, _: unknown, { view }: RequestContext) => view.parentOf(of),
    content: async (of: Template, _: unknown, context: RequestContext) => {
      const content = await context.view.contentOf(of);
      return content === null ? null : describeContent(content, of, context);
    },
    alternatives: (of: Template, { first }: { first: number }, { view }: RequestContext) =>
      view.alternativesTo(of, checkRange('first', first, 1, MAX_ALTERNATIVES)),
  },
  TemplateVersion: {
    publishedAt: (of: TemplateVersion) => of.publishedAtMs,
  },
  TemplateDependency: {
    template: (of: TemplateDependency, _: unknown, { view }: RequestContext) =>
      of.type === 'TEMPLATE' ? view.lookUpTemplate(of.name, null, null) : null,
  },
  TemplateBadge: {
    issuedAt: (of: TemplateBadge) => of.issuedAtMs,
  },
  SecurityScan: {
    scannedAt: (of: SecurityScan) => of.scannedAtMs,
  },
};
