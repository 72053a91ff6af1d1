import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '../../src/config/config.ts';
import type { Environment } from '../../src/config/environment.ts';
import type { ConfigFault } from '../../src/config/faults.ts';
import { ConfigFaults } from '../../src/config/faults.ts';
import { loadConfig } from '../../src/config/load.ts';

/** A folder of its own for one test, gone with it. */
export class ConfigFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'marketplace-config-'));

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Loads a text as the configuration file of this folder; secrets are made in it too. */
  load(text: string | Uint8Array, environment: Environment = {}): Config {
    const path = this.write('gateway.yaml', text);
    return loadConfig({ path, environment: { MARKETPLACE_DATA: join(this.path, 'data'), ...environment } });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The faults that an action ends in; an empty list when it succeeds. */
export function faultsOf(action: () => unknown): readonly ConfigFault[] {
  try {
    action();
    return [];
  } catch (error) {
    if (error instanceof ConfigFaults) return error.faults;
    throw error;
  }
}

/** Faults as the terminal shows them, without the folder and the heading. */
export function sentencesOf(action: () => unknown): readonly string[] {
  try {
    action();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.replace(/^ {2}(\/\S*\/(?=gateway\.yaml))?/, ''));
  }
}
