/**
 * The way in: a file, the demo's registries, or an object built in code, together with the environment, become one frozen
 * `Config`, or all the faults there are. Nothing starts half-configured.
 */
import { dirname, resolve } from 'node:path';
import { assembleConfig } from './assemble.ts';
import { checkRelations } from './checks.ts';
import type { Config } from './config.ts';
import { defaultStorage, IN_MEMORY } from './database-url.ts';
import { SourceDocument } from './document.ts';
import type { Environment, EnvironmentSettings } from './environment.ts';
import { readEnvironment } from './environment.ts';
import type { ConfigFault } from './faults.ts';
import { ConfigFaults } from './faults.ts';
import { readNamedFiles, readText } from './files.ts';
import { applyProfile, listUnfilled } from './profiles.ts';
import { loadOrCreateSecret } from './secret.ts';
import { validateDocument } from './validate.ts';
import { readYaml } from './yaml.ts';

/** Ten times what a hundred registries with every key take. */
const MAX_FILE_BYTES = 1024 * 1024;

export interface ObjectOptions {
  /** Instead of MARKETPLACE_DATA. Without it, and without a DATABASE_URL, the audit trail is kept in memory. */
  readonly dataDirectory?: string;
  /** Default: empty, so that nothing but the document counts. */
  readonly environment?: Environment;
  /** Relative paths of the document and of the data directory start here. Default: the working directory. */
  readonly folder?: string;
}

/**
 * The configuration of a YAML file and the environment. Relative paths within the file start at its folder, that of the
 * data directory at the working directory. Makes the data directory and a secret in it where the file names none.
 *
 * @param files is added to, also when this throws: every file on which the configuration depends, absolute paths.
 * @throws ConfigFaults with every fault: those of the file by line, then those of the environment.
 */
export function loadConfig(
  { path, environment }: { path: string; environment: Environment },
  files = new Set<string>(),
): Config {
  files.add(resolve(path));
  const content = readText(resolve(path), MAX_FILE_BYTES);
  const reading = content.ok
    ? readYaml(content.text, path, dirname(resolve(path)), environment)
    : { document: null, faults: [faultOfFile(path, `a readable file (${content.reason})`)] };
  if (reading.document === null) {
    // What the file would have read is not known: variables with names of their own cannot be called unknown.
    const { faults } = readEnvironment(environment, new Set(Object.keys(environment)), '.');
    throw new ConfigFaults([...reading.faults, ...faults]);
  }
  const { document } = reading;
  try {
    return buildConfig(document, reading.faults, readEnvironment(environment, document.variables, '.'));
  } finally {
    for (const file of document.files) files.add(file);
  }
}

function faultOfFile(path: string, expected: string): ConfigFault {
  return { source: path, line: null, column: null, key: '', expected, given: null, suggestion: null };
}

/** What the caller knows of a registry that it brings itself. */
export interface DemoRegistry {
  readonly name: string;
  readonly type: 'official' | 'community' | 'institutional' | 'private';
  readonly url: string;
}

/**
 * The configuration of a start without a file: the given registries, everything else by default. MARKETPLACE_SECRET seals
 * the cursors where it is set; otherwise a secret is made in the data directory.
 *
 * @throws ConfigFaults with every fault of the environment.
 */
export function demoConfig(registries: readonly DemoRegistry[], environment: Environment): Config {
  // Their ports are others at each start: what was kept of them would never be asked for again.
  // It is there to be tried out, under load too.
  const limits = { requestsPerMinute: 'off', costPerMinute: 'off' };
  const server = { secret: environment.MARKETPLACE_SECRET ?? '', cache: { disk: 'off' }, limits };
  const tree = { server, registries: structuredClone(registries) };
  const document = new SourceDocument('demo configuration', resolve('.'), tree);
  return buildConfig(document, [], readEnvironment(environment, new Set(['MARKETPLACE_SECRET']), '.'));
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
  const settings = readEnvironment(environment, source.variables, folder);
  return buildConfig(source, [], settings, options.dataDirectory, options.dataDirectory === undefined);
}

/** `isHeld`: nothing is to outlive the process but what the environment names a place for. */
function buildConfig(
  document: SourceDocument,
  readingFaults: readonly ConfigFault[],
  environment: { readonly settings: EnvironmentSettings; readonly faults: readonly ConfigFault[] },
  dataDirectory?: string,
  isHeld = false,
): Config {
  const profileFaults = applyProfile(document, environment.settings.profile);
  const validation = validateDocument(document);
  const files = readNamedFiles(document);
  const faults = [
    ...readingFaults,
    ...listUnfilled(document),
    ...profileFaults,
    ...(validation.ok ? [] : validation.faults),
    ...checkRelations(document),
    ...files.faults,
  ].sort(byPlace);
  if (validation.ok && validation.value.server.secret === '' && environment.settings.redisUrl !== null) {
    const expected = 'given with REDIS_URL, and the same for all that share it';
    faults.push({ ...document.locate(['server', 'secret']), expected, given: null, suggestion: null });
  }
  if (!validation.ok || faults.length > 0 || environment.faults.length > 0) {
    throw new ConfigFaults([...faults, ...environment.faults]);
  }
  const settings = {
    ...environment.settings,
    dataDirectory: resolve(document.folder, dataDirectory ?? environment.settings.dataDirectory),
  };
  const secrets = readSecrets(document, validation.value.server.secret, settings.dataDirectory);
  const storage = settings.storage ?? (isHeld ? IN_MEMORY : defaultStorage(settings.dataDirectory));
  return assembleConfig(validation.value, settings, files.contents, secrets, storage);
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
