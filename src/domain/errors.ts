/**
 * The closed sets of things that go wrong. A failure is thrown where it is learnt and translated once, at the GraphQL
 * border; whatever is none of these is a defect of the gateway.
 */
export type RegistryErrorType =
  | 'CONNECTION'
  | 'TIMEOUT'
  | 'AUTHENTICATION'
  | 'AUTHORIZATION'
  | 'RATE_LIMIT'
  | 'CIRCUIT_OPEN'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'INVALID'
  | 'READ_ONLY'
  | 'PROTOCOL'
  | 'SERVER'
  | 'TLS';

/** What a client may be told of a registry's failure: no address, no credential, no word of the upstream's text. */
export interface RegistryErrorView {
  readonly type: RegistryErrorType;
  readonly registryName: string;
  readonly message: string;
  readonly statusCode: number | null;
  readonly retryAfterMs: number | null;
  readonly guidance: string;
}

export interface RegistryFailureDetails {
  readonly statusCode?: number | null;
  readonly retryAfterMs?: number | null;
  /** Refused by this side (open circuit, full queue) without asking the registry. */
  readonly refusedHere?: boolean;
  /** It is asked by its callers' own tokens, so that it speaks of those and not of the gateway's. */
  readonly byCallersToken?: boolean;
  /** For the log only: may hold an address or upstream text, already without credentials. */
  readonly logDetail?: string;
  readonly cause?: unknown;
}

/** A call to a registry that brought no answer. `message` is safe to show; `logDetail` is not. */
export class RegistryFailure extends Error {
  override readonly name = 'RegistryFailure';
  readonly type: RegistryErrorType;
  readonly registryName: string;
  readonly statusCode: number | null;
  readonly retryAfterMs: number | null;
  readonly refusedHere: boolean;
  readonly logDetail: string | null;
  readonly #byCallersToken: boolean;

  constructor(type: RegistryErrorType, registryName: string, details: RegistryFailureDetails = {}) {
    super(describeFailure(type, registryName, details), details.cause === undefined ? {} : { cause: details.cause });
    this.type = type;
    this.registryName = registryName;
    this.statusCode = details.statusCode ?? null;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.refusedHere = details.refusedHere ?? false;
    this.logDetail = details.logDetail ?? null;
    this.#byCallersToken = details.byCallersToken ?? false;
  }

  /** The part a client may see. */
  toView(): RegistryErrorView {
    return {
      type: this.type,
      registryName: this.registryName,
      message: this.message,
      statusCode: this.statusCode,
      retryAfterMs: this.retryAfterMs,
      guidance: this.#byCallersToken ? CALLERS_TOKEN_GUIDANCE : GUIDANCE[this.type],
    };
  }
}

const GUIDANCE: Record<RegistryErrorType, string> = {
  CONNECTION: 'Try again in a moment. If it goes on, ask whoever runs the gateway whether the registry is reachable.',
  TIMEOUT: 'Try again, or allow more time with timeoutMs. The answer may be in the cache by then.',
  AUTHENTICATION: "Ask whoever runs the gateway to renew the registry's credentials.",
  AUTHORIZATION:
    "Ask for the right to read this registry, or whoever runs the gateway to check the credentials' rights.",
  RATE_LIMIT: 'Wait as long as retryAfterMs says, then try again.',
  CIRCUIT_OPEN: 'The registry failed repeatedly and is left alone for a while. Try again as retryAfterMs says.',
  NOT_FOUND: 'Check the name and the version.',
  CONFLICT: 'That version exists already. Choose another version.',
  INVALID: 'The registry refused the request as malformed. Check the arguments.',
  READ_ONLY: 'This registry takes no publications. Choose another one.',
  PROTOCOL: 'The registry answers, but not as its protocol demands. Tell whoever runs it.',
  SERVER: 'The registry has a fault of its own. Try again later.',
  TLS: "The registry's certificate could not be trusted. Ask whoever runs the gateway to check it.",
};

const CALLERS_TOKEN_GUIDANCE =
  'This registry is asked in your own name. Sign in to the gateway by a token that the registry accepts.';

function describeFailure(type: RegistryErrorType, registryName: string, details: RegistryFailureDetails): string {
  const registry = `The registry "${registryName}"`;
  switch (type) {
    case 'CONNECTION':
      return `${registry} could not be reached.`;
    case 'TIMEOUT':
      return `${registry} did not answer in time.`;
    case 'AUTHENTICATION':
      if (details.byCallersToken) {
        return details.refusedHere
          ? `${registry} was not asked: it wants a token of the caller, and none was given.`
          : `${registry} did not accept the caller's token.`;
      }
      return `${registry} did not accept the gateway's credentials.`;
    case 'AUTHORIZATION':
      return `${registry} refused access.`;
    case 'RATE_LIMIT':
      return details.refusedHere
        ? `${registry} was not asked: its rate limit is used up.`
        : `${registry} asks for fewer requests.`;
    case 'CIRCUIT_OPEN':
      return `${registry} was not asked: it failed repeatedly a moment ago.`;
    case 'NOT_FOUND':
      return `${registry} does not know what was asked for.`;
    case 'CONFLICT':
      return `${registry} has that version already.`;
    case 'INVALID':
      return `${registry} refused the request.`;
    case 'READ_ONLY':
      return `${registry} is read-only.`;
    case 'PROTOCOL':
      return `${registry} gave an answer that is none of its protocol.`;
    case 'SERVER':
      return `${registry} failed with an error of its own.`;
    case 'TLS':
      return `No trusted connection to ${registry.slice(4)} could be made.`;
  }
}

/** An argument that cannot be served. `field` is the path of the argument in the operation, dots between its parts. */
export class BadUserInput extends Error {
  override readonly name = 'BadUserInput';
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** A cursor that was tampered with, or belongs to another search. */
export class BadCursor extends Error {
  override readonly name = 'BadCursor';
  readonly field: string;

  constructor(field: string) {
    super(
      `"${field}" must be a cursor that this gateway gave for the same query, filter, order and collapse; ` +
        'the one given is not. Start the search again without it.',
    );
    this.field = field;
  }
}

/** Registries without which there is no true answer. `alternatives` are names that may do instead, where some are known. */
export class RegistriesUnavailable extends Error {
  override readonly name = 'RegistriesUnavailable';
  readonly failures: readonly RegistryFailure[];
  readonly alternatives: readonly string[];

  constructor(failures: readonly RegistryFailure[], alternatives: readonly string[] = []) {
    super(failures.map((failure) => failure.message).join(' '));
    this.failures = failures;
    this.alternatives = alternatives;
  }
}

/** A template that was withdrawn by its registry: told apart from one that never was. */
export class TemplateWithdrawn extends Error {
  override readonly name = 'TemplateWithdrawn';
  constructor(templateName: string, version: string) {
    super(`"${templateName}" ${version} was withdrawn by its registry. Choose another version.`);
  }
}
