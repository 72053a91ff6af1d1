/** Asks a gateway as its clients do. */

interface GraphqlAnswer {
  readonly status: number;
  readonly text: string;
  readonly data: unknown;
  readonly errors: readonly { message: string; path?: unknown; extensions: Record<string, unknown> }[];
}

/** Sends a GraphQL request by POST and gives the parsed answer. */
export type Ask = (
  query: string,
  variables?: Record<string, unknown>,
  headers?: Record<string, string>,
) => Promise<GraphqlAnswer>;

/** Asks the gateway at `origin` ("http://host:port"). */
export function createAsk(origin: string): Ask {
  return async (query, variables = {}, headers = {}) => {
    const response = await fetch(`${origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });
    const text = await response.text();
    const { data = null, errors = [] } = JSON.parse(text);
    return { status: response.status, text, data, errors };
  };
}
