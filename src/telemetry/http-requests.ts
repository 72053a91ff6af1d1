/** What the server answers at, as far as metrics tell it apart. */
const HTTP_ENDPOINTS = ['graphql', 'content', 'webhooks', 'health', 'metrics', 'other'] as const;
export type HttpEndpoint = (typeof HTTP_ENDPOINTS)[number];

/** Statuses are below it (RFC 9110, section 15). */
const STATUSES = 600;

/** Counts answers by endpoint and status: one addition for each. */
export class HttpRequests {
  readonly #counts: Readonly<Record<HttpEndpoint, Float64Array>>;
  readonly #counters: Readonly<Record<HttpEndpoint, (status: number) => void>>;

  constructor() {
    const of = <T>(make: (endpoint: HttpEndpoint) => T): Record<HttpEndpoint, T> => ({
      ...{ graphql: make('graphql'), content: make('content'), webhooks: make('webhooks') },
      ...{ health: make('health'), metrics: make('metrics'), other: make('other') },
    });
    this.#counts = of(() => new Float64Array(STATUSES));
    this.#counters = of((endpoint) => {
      const counts = this.#counts[endpoint];
      return (status) => {
        counts[status] = (counts[status] ?? 0) + 1;
      };
    });
  }

  /** The function that counts answers of an endpoint, the same one each time. */
  counterOf(endpoint: HttpEndpoint): (status: number) => void {
    return this.#counters[endpoint];
  }

  /** Those that there were. */
  list(): { readonly endpoint: HttpEndpoint; readonly status: number; readonly count: number }[] {
    return HTTP_ENDPOINTS.flatMap((endpoint) =>
      [...this.#counts[endpoint]].flatMap((count, status) => (count === 0 ? [] : [{ endpoint, status, count }])),
    );
  }
}
