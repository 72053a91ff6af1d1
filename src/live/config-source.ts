/** The configuration file of a process, with all the files on which it depends. */
import { resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { FileWatch } from './file-watch.ts';

export class ConfigSource {
  readonly #path: string;
  readonly #environment: Environment;
  readonly #watch: FileWatch;
  #files: ReadonlySet<string>;
  #tell: (() => void) | null = null;
  /** A change came before there was anybody to be told. */
  #isChanged = false;

  /** Watches the file from now on, so that no change after the first reading is missed. */
  constructor(path: string, environment: Environment) {
    this.#path = path;
    this.#environment = environment;
    this.#files = new Set([resolve(path)]);
    this.#watch = new FileWatch(() => {
      if (this.#tell === null) this.#isChanged = true;
      else this.#tell();
    });
    this.#watch.watch(this.#files);
  }

  /** Throws ConfigFaults. Certificates, keys and secrets that lie in files of their own are watched as well. */
  read(): Config {
    const files = new Set<string>();
    try {
      const config = loadConfig({ path: this.#path, environment: this.#environment }, files);
      this.#files = files;
      return config;
    } finally {
      // Of a file that could not be read whole it is not known what else it names: what it named before may mend it.
      this.#watch.watch(new Set([...this.#files, ...files]));
    }
  }

  /** Calls the listener whenever one of the files has changed. */
  onChange(listener: () => void): void {
    this.#tell = listener;
    if (this.#isChanged) listener();
  }

  close(): void {
    this.#watch.close();
  }
}
