/** A request as it arrived, for tests that count. */
export interface ArrivedRequest {
  readonly method: string;
  /** Still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Without the values of credentials: of `authorization` only the scheme is kept, of signatures nothing. */
  readonly headers: Readonly<Record<string, string>>;
}

const SECRET_HEADERS = ['signature', 'signature-input', 'cookie'];

/** The newest requests, up to a bound. */
export class RequestLog {
  readonly #limit: number;
  #requests: ArrivedRequest[] = [];

  /** `limit` 0: nothing is remembered. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get requests(): readonly ArrivedRequest[] {
    return this.#requests.slice(-this.#limit);
  }

  clear(): void {
    this.#requests = [];
  }

  add(
    method: string,
    path: string,
    query: URLSearchParams,
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ): void {
    if (this.#limit === 0) return;
    // Cut at twice the bound, so that forgetting costs nothing per request.
    if (this.#requests.length >= 2 * this.#limit) this.#requests = this.#requests.slice(-this.#limit);
    this.#requests.push({ method, path, query, headers: keepHeaders(headers) });
  }
}

function keepHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || SECRET_HEADERS.includes(name)) continue;
    const text = typeof value === 'string' ? value : value.join(', ');
    kept[name] = name === 'authorization' ? (text.split(' ')[0] ?? '') : text;
  }
  return kept;
}
