/** The job that every side does: one search, a page of 20 templates with twelve fields each, a report per registry. */

export const PAGE_SIZE = 20;

/** What may be asked for besides: each makes another document of the job. */
export interface JobExtras {
  /** How long each registry took: a live field, for which no finished answer can be kept. */
  readonly timings?: boolean;
  /** Where the next page begins. */
  readonly cursor?: boolean;
}

function writeDocument({ timings = false, cursor = false }: JobExtras): string {
  return `query Search($query: String, $orderBy: TemplateOrder, $collapse: Boolean!, $after: String, $timeoutMs: Int) {
  search(query: $query, orderBy: $orderBy, first: ${PAGE_SIZE}, after: $after, collapse: $collapse, timeoutMs: $timeoutMs) {
    totalCount
    pageInfo { hasNextPage${cursor ? ' endCursor' : ''} }
    nodes { id name version title description category license author downloads rating verified updatedAt }
    registries { registry { name } outcome totalCount${timings ? ' tookMs' : ''} }
  }
}`;
}

export interface JobSearch {
  readonly query: string;
  readonly order: 'POPULARITY' | 'RELEVANCE';
  /** false unless it is given: what is compared with the job knows no names that registries share. */
  readonly collapse?: boolean;
  readonly after?: string | null;
  readonly timeoutMs?: number;
}

/** The search as the JSON body of a GraphQL request. */
export function writeJob(search: JobSearch, extras: JobExtras = {}): string {
  const { query, order, collapse = false, after = null, timeoutMs } = search;
  return JSON.stringify({
    query: writeDocument(extras),
    variables: { query, orderBy: { field: order }, collapse, after, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
  });
}

/** The parts of an answer that are looked at. */
export interface JobAnswer {
  readonly nodes: readonly { readonly name: string }[];
  readonly registries: readonly { readonly outcome: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
}

/** Reads an answer; throws when it has errors or is none, for then there is nothing to measure. */
export function readJob(text: string): JobAnswer {
  const answer: { data?: { search?: JobAnswer | null } | null; errors?: unknown } = JSON.parse(text);
  const search = answer.data?.search;
  if (answer.errors !== undefined || search == null) throw new Error(`a search failed: ${text.slice(0, 500)}`);
  return search;
}

/** As `readJob`; throws, too, unless the page is full and this many registries answered. */
export function requireWhole(text: string, registryCount: number): void {
  const { nodes, registries } = readJob(text);
  const answered = registries.filter(({ outcome }) => outcome === 'OK').length;
  if (nodes.length !== PAGE_SIZE || answered !== registryCount) {
    throw new Error(
      `a page must have ${PAGE_SIZE} rows of ${registryCount} registries that all answer; it has ${nodes.length}, ` +
        `${answered} of ${registries.length} answered`,
    );
  }
}
