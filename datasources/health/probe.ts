import { RegistryFailure } from '../../src/domain/errors.ts';
import { readJson } from '../http/body.ts';
import type { Upstream } from '../http/chain.ts';
import { readObject } from '../wire-values.ts';
import type { Finding } from './verdict.ts';

const MAX_HEALTH_BYTES = 1_048_576;

export interface ProbeOptions {
  readonly registryName: string;
  readonly upstream: Pick<Upstream, 'probe'>;
  /** Asked in turn until one is there. */
  readonly paths: readonly [string, ...string[]];
  readonly timeoutMs: number;
  /** It is asked by its callers' tokens: a check has none, and that it is refused shows that the registry is there. */
  readonly hasNoCredentials?: boolean;
}

/** Asks a registry how it is, once a call: one request outside cache, circuits and limits. */
export class Probe {
  readonly #options: ProbeOptions;
  #path: string;

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#path = options.paths[0];
  }

  /** Never rejects. A path that is not there is given up for the next one, for good. */
  async ask(): Promise<Finding> {
    const { paths, registryName } = this.#options;
    try {
      const isWell = await this.#request(this.#path);
      return isWell ? { outcome: 'WELL' } : { outcome: 'AILING', reason: 'SAYS_SO' };
    } catch (error) {
      const failure = error instanceof RegistryFailure ? error : new RegistryFailure('PROTOCOL', registryName);
      const next = paths[paths.indexOf(this.#path) + 1];
      if (failure.type === 'NOT_FOUND' && next !== undefined) {
        this.#path = next;
        return this.ask();
      }
      const isRefused = failure.type === 'AUTHENTICATION' || failure.type === 'AUTHORIZATION';
      if (isRefused && this.#options.hasNoCredentials) return { outcome: 'WELL' };
      // It answers, only not as often as we ask.
      if (failure.type === 'RATE_LIMIT') return { outcome: 'AILING', reason: 'RATE_LIMIT' };
      return { outcome: 'FAILED', type: failure.type, message: failure.message, detail: failure.logDetail };
    }
  }

  async #request(path: string): Promise<boolean> {
    const { registryName, upstream, timeoutMs } = this.#options;
    const response = await upstream.probe({
      operation: 'CATALOG',
      path,
      subject: null,
      accept: 'application/json',
      maxBytes: MAX_HEALTH_BYTES,
      keepUpToBytes: 0,
      timeoutMs,
      lifetimeMs: 0,
      absence: 'FAILURE',
      parse: (body) => {
        const status = readObject(readJson(registryName, body))?.status;
        // The list of categories has no status: that it came is all there is to know.
        return status === undefined || status === 'ok';
      },
      deadlineMs: Number.POSITIVE_INFINITY,
      notBeforeMs: 0,
      purpose: null,
      etag: null,
      document: null,
      waiters: { latestDeadlineMs: Number.POSITIVE_INFINITY, background: true },
      traceHeaders: null,
      attempt: null,
    });
    return response.value === true;
  }
}
