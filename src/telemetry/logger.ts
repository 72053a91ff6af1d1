/**
 * The log: JSON lines that carry the request and the operation they belong to, and no secret. Whoever logs leaves out what
 * clients and registries sent; what stands here is for the day when somebody forgets.
 */
import { type DestinationStream, type Logger, pino } from 'pino';
import { readScope } from './request-scope.ts';

const MASK = '[redacted]';
/** Shorter ones would blank words that only look like them. */
const MIN_SECRET_LENGTH = 6;
/** How deep causes of causes are followed. */
const MAX_CAUSES = 4;

// RFC 9110, section 11.4: a scheme and what proves who calls; RFC 7519: a JWT anywhere; RFC 3986: a user in an address.
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|Digest)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${MASK}`],
  [/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, MASK],
  [/:\/\/[^\s/@"\\]{1,500}@/g, `://${MASK}@`],
];

/** Members that hold what a client or a registry sent, wherever somebody logs a whole request, answer or error. */
const REDACTED = ['authorization', 'cookie', 'set-cookie', 'x-api-key', 'token', 'password', 'secret', 'variables'];

export interface LoggerOptions {
  /** As pino knows them. */
  readonly level: string;
  readonly destination: DestinationStream;
  /** Knows what must never be written: secrets of the configuration. */
  readonly mask: SecretMask;
}

/** Makes the logger. */
export function createLogger({ level, destination, mask }: LoggerOptions): Logger {
  return pino(
    {
      level,
      mixin: describeScope,
      serializers: { err: describeError, error: describeError },
      redact: { paths: REDACTED.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]), censor: MASK },
    },
    { write: (line) => destination.write(mask.apply(line)) },
  );
}

/** Blanks the secrets of all configurations that the process has had. */
export class SecretMask {
  readonly #secrets = new Set<string>();
  #apply = createMask([]);

  /** From now on these are blanked too. */
  hide(secrets: readonly string[]): void {
    for (const secret of secrets) this.#secrets.add(secret);
    this.#apply = createMask([...this.#secrets]);
  }

  apply(line: string): string {
    return this.#apply(line);
  }
}

/** Makes the function that blanks the secrets in a line of JSON, as they are and as JSON writes them, and what looks like one. */
export function createMask(secrets: readonly string[]): (line: string) => string {
  const forms = new Set(
    secrets
      .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed())]),
  );
  // The longest first: one secret may be a part of another.
  const longestFirst = [...forms].sort((one, other) => other.length - one.length);
  return (line) => {
    let masked = line;
    for (const form of longestFirst) if (masked.includes(form)) masked = masked.replaceAll(form, MASK);
    for (const [pattern, replacement] of PATTERNS) masked = masked.replace(pattern, replacement);
    return masked;
  };
}

function describeScope(): object {
  const scope = readScope();
  if (scope === undefined) return {};
  const { requestId, operationName } = scope;
  return operationName === null ? { requestId } : { requestId, operation: operationName };
}

/** An error without its own members: libraries hang requests and answers there. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : typeof error;
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const cause =
    error.cause === undefined || depth === MAX_CAUSES ? {} : { cause: describeError(error.cause, depth + 1) };
  return { type: error.name, message: error.message, ...code, stack: error.stack, ...cause };
}
