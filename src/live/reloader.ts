/** Reads the configuration again when it may have changed, and goes over to it where it is good. */
import { basename } from 'node:path';
import type { Logger } from 'pino';
import type { ConfigState } from '../../resolvers/context.ts';
import type { Config } from '../config/config.ts';
import { type ConfigFault, ConfigFaults, formatFault } from '../config/faults.ts';
import { describeChange, findRestartKeys } from './config-change.ts';

export interface ReloaderOptions {
  /** The one that the process has started with. */
  readonly started: Config;
  /** Throws ConfigFaults. */
  readonly read: () => Config;
  /** Rejects when the configuration cannot be used, and then changes nothing. */
  readonly apply: (config: Config) => Promise<void>;
  /** Told what became of each change. */
  readonly onState: (state: ConfigState) => void;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

export class Reloader {
  readonly #options: ReloaderOptions;
  #current: Config;
  #isRefused = false;
  #isWanted = false;
  #isClosed = false;
  #running: Promise<void> | null = null;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#current = options.started;
  }

  /**
   * Reads the configuration again; after the reading that is under way, if there is one. Wanted several times meanwhile, it is
   * read once. Resolves when it is done, however it ended.
   */
  request(): Promise<void> {
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Begins nothing more. Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      try {
        await this.#reload();
      } catch (error) {
        this.#refuse(error);
      }
    }
  }

  async #reload(): Promise<void> {
    const { started, read, apply, onState, log } = this.#options;
    const next = read();
    const needsRestart = findRestartKeys(started, next);
    if (JSON.stringify(next) === JSON.stringify(this.#current)) {
      log.info('the configuration was read again, and is what it was');
      if (this.#isRefused) onState({ refusal: null, needsRestart });
      this.#isRefused = false;
      return;
    }
    await apply(next);
    log.info(describeChange(this.#current, next), 'another configuration is in use');
    if (needsRestart.length > 0) log.warn({ keys: needsRestart }, 'changes of these keys take a restart to be in use');
    this.#current = next;
    this.#isRefused = false;
    onState({ refusal: null, needsRestart });
  }

  /** The one in use stays. */
  #refuse(error: unknown): void {
    const { started, onState, log } = this.#options;
    const faults = error instanceof ConfigFaults ? error.faults : null;
    const texts = faults?.map(formatFault) ?? [error instanceof Error ? error.message : String(error)];
    log.error({ faults: texts }, 'the changed configuration was refused; the one in use stays');
    this.#isRefused = true;
    const withoutValues = faults?.map(describePlace) ?? [];
    const refusal = { atMs: Date.now(), faults: texts, withoutValues };
    onState({ refusal, needsRestart: findRestartKeys(started, this.#current) });
  }
}

/** Without what was given, and without the folders of this machine. */
function describePlace(fault: ConfigFault): string {
  return formatFault({ ...fault, source: basename(fault.source), given: null, suggestion: null });
}
