/** One attempt at a registry, as a trace shows it. */
export interface CallSpan {
  /** What the registry is sent, so that its own trace joins this one (W3C Trace Context). */
  readonly headers: Readonly<Record<string, string>>;
  /** Once. `failure`: the type of what went wrong; null: nothing did. */
  end(statusCode: number | null, failure: string | null): void;
}

/** Follows the calls to registries. Whose work a call is, it finds out by itself. */
export interface CallTracer {
  /** null: nobody's. */
  startCall(registryName: string, operation: string): CallSpan | null;
}
