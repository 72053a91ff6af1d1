/**
 * The way in: a file, the demo's registries, or an object built in code, together with the environment, become one frozen
 * `Config`, or all the faults there are. Nothing starts half-configured.
 */
import { resolve } from 'node:path';
import { assembleConfig } from './assemble.ts';
import { checkRelations } from './checks.ts';
import type { Config } from './config.ts';
import { SourceDocument } from './document.ts';
import type { Environment, EnvironmentSettings } from './environment.ts';
import { readEnvironment } from './environment.ts';
import type { ConfigFault } from './faults.ts';
import { ConfigFaults } from './faults.ts';
import { readNamedFiles } from './files.ts';
import { loadOrCreateSecret } from './secret.ts';
import { validateDocument } from './validate.ts';

export interface ObjectOptions {
  /** Instead of MARKETPLACE_DATA. */
  readonly dataDirectory?: string;
  /** Default: empty, so that nothing but the document counts. */
  readonly environment?: Environment;
  /** Relative paths of the document and of the data directory start here. Default: the working directory. */
  readonly folder?: string;
}

/**
 * The configuration of a document that was built in code. It goes through the same definition as a file; `${...}` in it
 * stays as it is. With `server.secret` given and no file named, the disk is not touched.
 *
 * @throws ConfigFaults with every fault; their lines are null.
 */
export function parseConfigObject(document: unknown, options: ObjectOptions = {}): Config {
  const folder = resolve(options.folder ?? '.');
  const environment = options.environment ?? {};
  const source = new SourceDocument('configuration', folder, structuredClone(document));
  return buildConfig(source, [], readEnvironment(environment, source.variables, folder), options.dataDirectory);
}

function buildConfig(
  document: SourceDocument,
  readingFaults: readonly ConfigFault[],
  environment: { readonly settings: EnvironmentSettings; readonly faults: readonly ConfigFault[] },
  dataDirectory: string | undefined,
): Config {
  const validation = validateDocument(document);
  const files = readNamedFiles(document);
  const faults = [
    ...readingFaults,
    ...(validation.ok ? [] : validation.faults),
    ...checkRelations(document),
    ...files.faults,
  ].sort(byPlace);
  if (!validation.ok || faults.length > 0 || environment.faults.length > 0) {
    throw new ConfigFaults([...faults, ...environment.faults]);
  }
  const settings = {
    ...environment.settings,
    dataDirectory: resolve(document.folder, dataDirectory ?? environment.settings.dataDirectory),
  };
  const secrets = readSecrets(document, validation.value.server.secret, settings.dataDirectory);
  return assembleConfig(validation.value, settings, files.contents, secrets);
}

/** Last of all, because it may write: nothing is made for a configuration that cannot start. */
function readSecrets(document: SourceDocument, given: string | string[], dataDirectory: string): readonly string[] {
  if (given !== '') return typeof given === 'string' ? [given] : given;
  try {
    return [loadOrCreateSecret(dataDirectory)];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const expected = `given, because none can be kept in the data directory (${error.message})`;
    throw new ConfigFaults([{ ...document.locate(['server', 'secret']), expected, given: null, suggestion: null }]);
  }
}

function byPlace(one: ConfigFault, other: ConfigFault): number {
  return (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0);
}
