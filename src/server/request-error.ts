/** A request that is wrong as HTTP, before it is looked at as GraphQL. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;
  /** What of the request is wrong: "body", "query", "method", a header. */
  readonly field: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, field: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.field = field;
    this.headers = headers;
  }
}
