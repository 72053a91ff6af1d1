/**
 * Whose work is being done, for logs and traces: everything that a request starts, however deep and however late, finds its
 * request here without being handed it. Calls that several requests share belong to the one that made them.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Context } from '@opentelemetry/api';

export interface RequestScope {
  readonly requestId: string;
  /** As the client named it; null for none. */
  readonly operationName: string | null;
  /** For whom, as the audit trail names callers; null: that is not established yet. */
  readonly actor: string | null;
  /** Where new spans hang; null where nothing is traced. */
  readonly trace: Context | null;
  /** Where calls to registries are counted, for a request that wants to know. */
  readonly calls?: { count: number };
}

const scopes = new AsyncLocalStorage<RequestScope>();

/** Runs something for a request. */
export function runInScope<T>(scope: RequestScope, run: () => T): T {
  return scopes.run(scope, run);
}

/** Runs something in the scope that is there, for this actor from now on. */
export function runForActor<T>(actor: string, run: () => T): T {
  const scope = scopes.getStore();
  return scope === undefined ? run() : scopes.run({ ...scope, actor }, run);
}

/** The request for which the caller works; undefined: for none. */
export function readScope(): RequestScope | undefined {
  return scopes.getStore();
}

/** Runs something and counts the calls to registries that it makes. */
export function countCalls<T>(calls: { count: number }, run: () => T): T {
  const scope = scopes.getStore();
  return scope === undefined ? run() : scopes.run({ ...scope, calls }, run);
}

/** A call to a registry begins. */
export function noteCall(): void {
  const calls = scopes.getStore()?.calls;
  if (calls !== undefined) calls.count += 1;
}
