/**
 * The rules that no key can keep alone. They read the document as it stands, so that they speak beside the faults of
 * single keys; a value of the wrong type is passed over here, because it is a fault already.
 */
import { globsOverlap } from '../domain/names.ts';
import { normalizeClaim } from './claims.ts';
import type { SourceDocument } from './document.ts';
import { entriesOf, memberOf, placeId } from './document.ts';
import type { ConfigFault, KeyPath } from './faults.ts';
import { formatKeyPath } from './faults.ts';
import { parseDurationMs } from './quantities.ts';
import { isLoopback, parseHttpUrl } from './urls.ts';

/** The faults between keys, in the order of the rules. */
export function checkRelations(document: SourceDocument): ConfigFault[] {
  const registries = entriesOf(memberOf(document.tree, 'registries'));
  const apiKeys = entriesOf(document.valueAt(['auth', 'apiKeys']));
  const faults = [
    checkCostBudget(document),
    checkOpenCors(document),
    ...checkUnique(document, ['registries'], registries, 'name', (name) => name),
    ...registries.flatMap((_, index) => checkRegistry(document, ['registries', index])),
    ...checkClaims(document, registries),
    checkDefaultRegistry(document, registries),
    ...checkUnique(document, ['auth', 'apiKeys'], apiKeys, 'id', (id) => id),
    ...checkUnique(document, ['auth', 'apiKeys'], apiKeys, 'sha256', (digest) => digest.toLowerCase()),
  ];
  return faults.filter((fault) => fault !== null);
}

type Faults = (ConfigFault | null)[];

/** An operation that is allowed must not be one that no budget ever allows. */
function checkCostBudget(document: SourceDocument): ConfigFault | null {
  const cost = document.valueAt(['server', 'limits', 'cost']) ?? 5000;
  const budget = document.valueAt(['server', 'limits', 'costPerMinute']) ?? 300_000;
  if (typeof cost !== 'number' || typeof budget !== 'number' || budget >= cost) return null;
  return document.complain(['server', 'limits', 'costPerMinute'], { expected: `at least cost (${cost}), or off` });
}

/** Fetch, 3.2.5: browsers refuse it, and rightly: any page could act in the name of whoever sits before it. */
function checkOpenCors(document: SourceDocument): ConfigFault | null {
  const cors = document.valueAt(['server', 'cors']);
  if (!entriesOf(memberOf(cors, 'origins')).includes('*') || memberOf(cors, 'credentials') !== true) return null;
  return document.complain(['server', 'cors', 'credentials'], { expected: 'false where origins has *' });
}

function checkUnique(
  document: SourceDocument,
  list: KeyPath,
  entries: readonly unknown[],
  key: string,
  comparable: (value: string) => string,
): Faults {
  const firstAt = new Map<string, number>();
  return entries.map((entry, index) => {
    const path = [...list, index, key];
    const value = memberOf(entry, key);
    if (typeof value !== 'string' || document.unresolved.has(placeId(path))) return null;
    const first = firstAt.get(comparable(value));
    if (first === undefined) {
      firstAt.set(comparable(value), index);
      return null;
    }
    return document.complain(path, { expected: `unique, and ${formatKeyPath([...list, first])} has the same` });
  });
}

function checkRegistry(document: SourceDocument, path: KeyPath): Faults {
  return [
    checkTransport(document, path),
    checkTlsForHttps(document, path),
    checkPair(document, path, 'cert', 'key'),
    checkPair(document, path, 'key', 'cert'),
    checkAccess(document, path),
    checkPassthrough(document, path),
    checkDelays(document, path),
    checkReadOnly(document, path),
  ];
}

/** The contract, 2: plain http is refused for any host but loopback, unless the registry says insecureHttp. */
function checkTransport(document: SourceDocument, path: KeyPath): ConfigFault | null {
  const url = plainHttpUrl(document, path);
  if (url === null || isLoopback(url) || document.valueAt([...path, 'insecureHttp']) === true) return null;
  return document.complain([...path, 'url'], {
    expected: 'an https URL (plain http is for loopback only, unless the registry says insecureHttp: true)',
  });
}

function checkTlsForHttps(document: SourceDocument, path: KeyPath): ConfigFault | null {
  if (plainHttpUrl(document, path) === null || document.valueAt([...path, 'tls']) === undefined) return null;
  return document.complain([...path, 'tls'], {
    expected: 'left out: the url is plain http, where it would mean nothing',
    showGiven: false,
  });
}

function plainHttpUrl(document: SourceDocument, path: KeyPath): URL | null {
  const value = document.valueAt([...path, 'url']);
  const url = typeof value === 'string' ? parseHttpUrl(value) : null;
  return url?.protocol === 'http:' ? url : null;
}

function checkPair(document: SourceDocument, path: KeyPath, given: string, missing: string): ConfigFault | null {
  const tls = document.valueAt([...path, 'tls']);
  if (memberOf(tls, given) === undefined || memberOf(tls, missing) !== undefined) return null;
  return document.complain([...path, 'tls', missing], {
    expected: `the path of a PEM file, because ${given} is given`,
  });
}

function checkAccess(document: SourceDocument, path: KeyPath): ConfigFault | null {
  const access = document.valueAt([...path, 'access']);
  if (typeof access !== 'object' || access === null || Array.isArray(access)) return null;
  const lists = [memberOf(access, 'roles'), memberOf(access, 'groups')];
  if (lists.some((list) => list !== undefined && !(Array.isArray(list) && list.length === 0))) return null;
  return document.complain([...path, 'access'], {
    expected: 'at least one role or group (leave access out where everyone may see the registry)',
    given: 'none',
  });
}

/** An API key is the gateway's own and goes nowhere: without tokens there is nothing to pass on, and none goes in the clear. */
function checkPassthrough(document: SourceDocument, path: KeyPath): ConfigFault | null {
  const type: KeyPath = [...path, 'credentials', 'type'];
  if (document.valueAt(type) !== 'passthrough') return null;
  if (document.valueAt(['auth', 'jwt']) === undefined)
    return document.complain(type, { expected: 'another one, unless auth.jwt lets callers sign in by tokens' });
  const url = plainHttpUrl(document, path);
  if (url === null || isLoopback(url)) return null;
  return document.complain(type, {
    expected: "another one, unless url is https: a caller's token is not sent in the clear",
  });
}

function checkDelays(document: SourceDocument, path: KeyPath): ConfigFault | null {
  const base = durationAt(document, [...path, 'retry', 'baseDelay'], 100);
  const most = durationAt(document, [...path, 'retry', 'maxDelay'], 2000);
  if (base === null || most === null || base <= most) return null;
  return document.complain([...path, 'retry', 'baseDelay'], { expected: `at most maxDelay (${most} ms)` });
}

/** Official registries are published to by those who run them, not through a gateway. */
function checkReadOnly(document: SourceDocument, path: KeyPath): ConfigFault | null {
  if (document.valueAt([...path, 'type']) !== 'official') return null;
  if (document.valueAt([...path, 'readOnly']) !== false) return null;
  return document.complain([...path, 'readOnly'], { expected: 'left out: an official registry is always read-only' });
}

function checkDefaultRegistry(document: SourceDocument, registries: readonly unknown[]): ConfigFault | null {
  const path = ['publish', 'defaultRegistry'];
  const name = document.valueAt(path);
  if (typeof name !== 'string' || document.unresolved.has(placeId(path))) return null;
  const named = registries.find((entry) => memberOf(entry, 'name') === name);
  if (named === undefined) return document.complain(path, { expected: 'the name of one of the registries' });
  if (memberOf(named, 'type') !== 'official' && memberOf(named, 'readOnly') !== true) return null;
  return document.complain(path, { expected: 'the name of a registry that is not read-only (official ones are)' });
}

function durationAt(document: SourceDocument, path: KeyPath, defaultMs: number): number | null {
  const value = document.valueAt(path);
  if (value === undefined) return defaultMs;
  return typeof value === 'string' || typeof value === 'number' ? parseDurationMs(value) : null;
}

/** The contract, 5.7: claims that overlap are a fault, whatever the namespaces: no registry could serve such a name. */
function checkClaims(document: SourceDocument, registries: readonly unknown[]): Faults {
  const faults: Faults = [];
  const earlier: { readonly path: KeyPath; readonly glob: string; readonly registry: number }[] = [];
  registries.forEach((entry, registry) => {
    entriesOf(memberOf(entry, 'claims')).forEach((claim, index) => {
      const path = ['registries', registry, 'claims', index];
      if (typeof claim !== 'string' || document.unresolved.has(placeId(path))) return;
      const glob = normalizeClaim(claim);
      const other = earlier.find((one) => one.registry !== registry && globsOverlap(one.glob, glob));
      earlier.push({ path, glob, registry });
      if (other === undefined) return;
      faults.push(
        document.complain(path, {
          expected: `apart from the claims of other registries: some name would match ${formatKeyPath(other.path)} too`,
        }),
      );
    });
  });
  return faults;
}
