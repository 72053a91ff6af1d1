/** What a client is told when its request is not served, with the status of the answer. */
export type ErrorCode =
  | 'bad_parameter'
  | 'bad_document'
  | 'bad_digest'
  | 'bad_request'
  | 'unauthenticated'
  | 'forbidden'
  | 'read_only'
  | 'not_found'
  | 'method_not_allowed'
  | 'version_exists'
  | 'too_large'
  | 'unsupported_media_type'
  | 'invalid_template'
  | 'internal';

const STATUS_OF: Record<ErrorCode, number> = {
  bad_parameter: 400,
  bad_document: 400,
  bad_digest: 400,
  bad_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  read_only: 403,
  not_found: 404,
  method_not_allowed: 405,
  version_exists: 409,
  too_large: 413,
  unsupported_media_type: 415,
  invalid_template: 422,
  internal: 500,
};

/** Thrown where a request turns out not to be servable; answered once, by the server. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Members beside `code` and `message` in the answer. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    extra: { readonly headers?: Record<string, string>; readonly details?: Record<string, unknown> } = {},
  ) {
    super(message);
    this.code = code;
    this.status = STATUS_OF[code];
    this.headers = extra.headers ?? {};
    this.details = extra.details ?? {};
  }
}
