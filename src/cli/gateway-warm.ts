/** Warms a gateway that runs: asks it what its clients will ask, as one of them. */
import * as z from 'zod';
import { readRecordedUsage, type WarmedFederation } from '../gateway.ts';
import type { Host } from './host.ts';

/** As many as a gateway keeps warm by itself. */
const MOST = 100;
/** The most that a search may ask to be waited for (the schema of `search`). */
const TIMEOUT_MS = 30_000;
/** Beyond the gateway's own wait. */
const ANSWER_MS = TIMEOUT_MS + 5_000;

const SEARCH = `query Warm($query: String, $filter: TemplateFilter, $orderBy: TemplateOrder, $first: Int, $collapse: Boolean!) {
  search(query: $query, filter: $filter, orderBy: $orderBy, first: $first, collapse: $collapse, timeoutMs: ${TIMEOUT_MS}) {
    nodes { name } registries { registry { name } outcome cache error { type } }
  }
}`;
const TEMPLATE =
  'query Warm($name: String!, $version: String, $registry: String) { template(name: $name, version: $version, registry: $registry) { name } }';
const CATEGORIES = 'query Warm { categories { name } }';

type ErrorType = WarmedFederation['registries'][number]['reasons'][number];
const ERROR_TYPES = [
  ...['CONNECTION', 'TIMEOUT', 'AUTHENTICATION', 'AUTHORIZATION', 'RATE_LIMIT', 'CIRCUIT_OPEN', 'NOT_FOUND'],
  ...['CONFLICT', 'INVALID', 'READ_ONLY', 'PROTOCOL', 'SERVER', 'TLS'],
] as const satisfies readonly ErrorType[];

const report = z.object({
  // What comes of a gateway goes to a terminal: a registry's name is of these characters (the contract's configuration).
  registry: z.object({ name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/) }),
  outcome: z.enum(['OK', 'STALE', 'TIMEOUT', 'FAILED', 'SKIPPED']),
  cache: z.enum(['HIT', 'MISS', 'STALE', 'BYPASS']),
  error: z.object({ type: z.enum(ERROR_TYPES) }).nullable(),
});
const answer = z.object({ data: z.object({ search: z.object({ registries: z.array(report) }).nullish() }).nullish() });

/** A gateway, and what is shown to it. */
interface Asked {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Sends the categories, the searches and look-ups that are recorded in the data directory of this environment, and `queries`
 * to the gateway at `url`, one after the other; with the API key or token in MARKETPLACE_API_KEY, where there is one. What is
 * warmed is what its caller may see. Throws an Error for people when it is no gateway or does not answer.
 */
export async function warmGateway(
  url: string,
  queries: readonly string[],
  environment: Host['environment'],
): Promise<WarmedFederation> {
  const asked = { endpoint: endpointOf(url), headers: headersFor(environment.MARKETPLACE_API_KEY) };
  const usage = readRecordedUsage(environment.MARKETPLACE_DATA || '.marketplace');
  await ask(asked, CATEGORIES, {});
  const recorded = usage.searches.list(MOST).map(({ item: { request } }) => variablesOf(request));
  const given = [...new Set(queries)].map((query) => ({ query, collapse: true }));
  const counts = new Map<string, WarmedFederation['registries'][number]>();
  for (const variables of [...recorded, ...given]) {
    const { data } = await ask(asked, SEARCH, variables);
    for (const each of data?.search?.registries ?? []) countReport(counts, each);
  }
  const lookUps = usage.lookUps.list(MOST);
  for (const { item } of lookUps) {
    await ask(asked, TEMPLATE, { name: item.name, version: item.version, registry: item.registryName });
  }
  return { registries: [...counts.values()], searches: recorded.length + given.length, templates: lookUps.length };
}

function endpointOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed !== null && /^https?:$/.test(parsed.protocol)) return `${parsed.origin}/graphql`;
  throw new Error('The gateway must be given as an http or https URL, such as http://127.0.0.1:4000.');
}

/** From the environment alone: the arguments of a command are shown to everybody on the machine. */
function headersFor(key: string | undefined): Record<string, string> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  if (!key) return headers;
  // RFC 6750, section 2.1.
  if (/^[A-Za-z0-9\-._~+/]+=*$/.test(key)) return { ...headers, authorization: `Bearer ${key}` };
  throw new Error('MARKETPLACE_API_KEY must hold an API key or a token, with no space or line break in it.');
}

type RecordedRequest = ReturnType<ReturnType<typeof readRecordedUsage>['searches']['list']>[number]['item']['request'];

function variablesOf({ query, filter, order, page, collapse }: RecordedRequest): Record<string, unknown> {
  const { updatedSinceMs, ...members } = filter;
  const updatedSince = updatedSinceMs === null ? null : new Date(updatedSinceMs).toISOString();
  return { query, filter: { ...members, updatedSince }, orderBy: order, first: page.count, collapse };
}

/** Faults of a single question are the gateway's answer to it, and are passed over. */
async function ask({ endpoint, headers }: Asked, query: string, variables: Record<string, unknown>) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch((error: unknown) => {
    throw new Error('The gateway cannot be reached. Check its URL, and whether it runs.', { cause: error });
  });
  if (response.status === 401 || response.status === 403) {
    throw new Error(
      'authorization' in headers
        ? 'The gateway refuses the key in MARKETPLACE_API_KEY. It must be one of its API keys, or a token that is valid now.'
        : 'The gateway answers nobody without an API key. Put one into MARKETPLACE_API_KEY.',
    );
  }
  const read = answer.safeParse(await response.json().catch(() => null));
  if (!read.success) throw new Error('What answers there is no gateway of this kind. Check the URL.');
  return read.data;
}

function countReport(
  counts: Map<string, WarmedFederation['registries'][number]>,
  { registry, outcome, cache, error }: z.output<typeof report>,
): void {
  const { name } = registry;
  const known = counts.get(name) ?? { registryName: name, fetched: 0, fresh: 0, failed: 0, reasons: [] };
  counts.set(name, known);
  if (error !== null) {
    known.failed += 1;
    if (!known.reasons.includes(error.type)) known.reasons.push(error.type);
  } else if (outcome === 'SKIPPED') return;
  else if (cache === 'HIT') known.fresh += 1;
  else known.fetched += 1;
}
