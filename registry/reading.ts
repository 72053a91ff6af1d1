/**
 * The requests that read: search, look-ups, versions, documents, categories, health.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Catalog, PublishedVersion } from './catalog.ts';
import { compareCodePoints } from './code-points.ts';
import { formatDigest } from './digests.ts';
import { HttpError } from './http-error.ts';
import { sendBytes, sendJson, sendNotModified } from './respond.ts';
import type { Searcher } from './search.ts';
import { readOne, readSearchQuery, type SearchQuery } from './search-query.ts';

/** What the reading requests are served from. */
export interface ReadingContext {
  readonly catalog: Catalog;
  readonly searcher: Searcher;
  readonly maxLimit: number;
  readonly cacheControl: string;
  /** Tells this process from others in validators: two may be at the same revision with different templates. */
  readonly instanceId: string;
  /** Where clients reach this registry, without a slash at the end; null where it was not told. */
  readonly publicUrl: string | null;
}

/** One reading request: the answer is written to `response`; faults of the request are thrown as HttpError. */
export interface ReadingRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly parameters: URLSearchParams;
  /** The decoded `{name}` of the path; empty where it has none. */
  readonly name: string;
}

export type ReadingHandler = (context: ReadingContext, reading: ReadingRequest) => void;

/** GET /api/v1/search */
export function respondSearch(context: ReadingContext, { request, response, parameters }: ReadingRequest): void {
  const query = readSearchQuery(parameters, context.maxLimit);
  const headers = describeRevision(context);
  if (sendNotModified(response, request.headers['if-none-match'], headers)) return;
  const result = context.searcher.search(query.criteria);
  const rows: string[] = [];
  const end = Math.min(query.offset + query.limit, result.total);
  for (let index = query.offset; index < end; index += 1) {
    const row = result.rowAt(index);
    if (row !== null) rows.push(formatTemplate(context, row));
  }
  const facets = query.offset === 0 ? `,"facets":${JSON.stringify(result.facets())}` : '';
  const body = `{"templates":[${rows.join(',')}],"total_count":${result.total},"order":"total"${facets}}`;
  const link = end < result.total ? { link: formatNextLink(parameters, query) } : {};
  sendJson(response, 200, body, { ...headers, ...link });
}

/** GET /api/v1/templates/{name} */
export function respondTemplate(context: ReadingContext, reading: ReadingRequest): void {
  const published = findPublished(context, reading);
  const headers = describeRevision(context);
  if (sendNotModified(reading.response, reading.request.headers['if-none-match'], headers)) return;
  sendJson(reading.response, 200, formatTemplate(context, published), headers);
}

/** GET /api/v1/templates/{name}/versions */
export function respondVersions(context: ReadingContext, { request, response, name }: ReadingRequest): void {
  const entry = context.catalog.find(name);
  if (entry === null) throw refuseUnknown();
  const headers = describeRevision(context);
  if (sendNotModified(response, request.headers['if-none-match'], headers)) return;
  const versions = entry.versions.map(({ template, digest }) => ({
    version: template.version,
    ...(template.publishedAt === null ? {} : { published_at: template.publishedAt }),
    deprecated: template.deprecated,
    ...(template.withdrawnAt === null ? {} : { withdrawn_at: template.withdrawnAt }),
    digest,
  }));
  sendJson(response, 200, JSON.stringify({ versions }), headers);
}

/** GET /api/v1/templates/{name}/content */
export function respondContent(context: ReadingContext, reading: ReadingRequest): void {
  const { request, response, parameters } = reading;
  const published = findPublished(context, reading);
  const { bytes, mediaType } = published.document;
  // A version's document never changes; what is newest does.
  const isFixed = parameters.has('version');
  const headers = {
    etag: `"${published.digest}"`,
    'cache-control': isFixed ? context.cacheControl.replace(/max-age=\d+/, 'max-age=31536000, immutable') : 'no-cache',
  };
  if (sendNotModified(response, request.headers['if-none-match'], headers)) return;
  sendBytes(response, 200, bytes, {
    ...headers,
    'content-type': mediaType,
    'repr-digest': formatDigest(bytes),
    'x-content-type-options': 'nosniff',
  });
}

/** GET /api/v1/categories */
export function respondCategories(context: ReadingContext, { request, response }: ReadingRequest): void {
  const headers = describeRevision(context);
  if (sendNotModified(response, request.headers['if-none-match'], headers)) return;
  const counts = new Map<string, number>();
  for (const { newest } of context.catalog.entries()) {
    const { category } = newest.template;
    if (category !== null) counts.set(category, (counts.get(category) ?? 0) + 1);
  }
  const categories = [...counts].map(([name, count]) => ({ name, count }));
  categories.sort((left, right) => compareCodePoints(left.name, right.name));
  sendJson(response, 200, JSON.stringify(categories), headers);
}

/** GET /api/v1/health */
export function respondHealth(_context: ReadingContext, { response }: ReadingRequest): void {
  sendJson(response, 200, '{"status":"ok"}', { 'cache-control': 'no-store' });
}

/** A template as JSON text, with the address of its document where the registry knows its own. */
export function formatTemplate({ publicUrl }: Pick<ReadingContext, 'publicUrl'>, published: PublishedVersion): string {
  if (publicUrl === null) return published.json;
  const { name, version } = published.template;
  const path = `/api/v1/templates/${encodeURIComponent(name)}/content?version=${encodeURIComponent(version)}`;
  return `${published.json.slice(0, -1)},"content_url":${JSON.stringify(publicUrl + path)}}`;
}

function findPublished({ catalog }: ReadingContext, { name, parameters }: ReadingRequest): PublishedVersion {
  const published = catalog.findVersion(name, readOne(parameters, 'version'));
  if (published === null) throw refuseUnknown();
  return published;
}

function refuseUnknown(): HttpError {
  return new HttpError('not_found', 'There is no template of that name, or no such version of it.');
}

/** Every answer made from the catalogue is good until the catalogue changes. */
function describeRevision(context: ReadingContext): { readonly etag: string; readonly 'cache-control': string } {
  return { etag: `"${context.instanceId}-${context.catalog.revision}"`, 'cache-control': context.cacheControl };
}

/** Relative to the address of the search itself (RFC 8288), so that no proxy in front makes it wrong. */
function formatNextLink(parameters: URLSearchParams, query: SearchQuery): string {
  const next = new URLSearchParams(parameters);
  next.set('limit', String(query.limit));
  next.set('offset', String(query.offset + query.limit));
  return `</api/v1/search?${next}>; rel="next"`;
}
