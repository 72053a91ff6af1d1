/**
 * Profiles: one configuration for several surroundings. What the chosen profile says is laid over the rest of the document
 * before that is checked, with the places where it stands: mappings are merged, lists and everything else replaced, and of
 * `registries` each is merged into the one with its name, or added.
 */
import { checkRelations } from './checks.ts';
import { memberOf, placeId, SourceDocument } from './document.ts';
import type { ConfigFault, KeyPath } from './faults.ts';
import { formatKeyPath } from './faults.ts';
import { quoteShort } from './given.ts';
import { findNearest } from './nearest.ts';
import { validateDocument } from './validate.ts';

/**
 * Lays the chosen profile over the document; null: none is chosen. Gives the faults of the choice, and those of the other
 * profiles, which would else be found on another machine. What those refer to need not be there.
 */
export function applyProfile(document: SourceDocument, chosen: string | null): ConfigFault[] {
  const names = listMappings(document.valueAt(['profiles']));
  const others = names.filter((name) => name !== chosen).flatMap((name) => checkOther(document, name));
  const faults = [...others, ...names.flatMap((name) => explainNested(document, name))];
  if (chosen === null) return faults;
  if (!names.includes(chosen)) return [...faults, explainUnknown(names, chosen)];
  layProfile(document, chosen);
  return faults;
}

/** Faults of references that could not be filled in, in what is used of the document. */
export function listUnfilled(document: SourceDocument): ConfigFault[] {
  return [...document.unfilled.values()].filter(({ path }) => path[0] !== 'profiles').flatMap(({ faults }) => faults);
}

function explainNested(document: SourceDocument, name: string): ConfigFault[] {
  const path = ['profiles', name, 'profiles'];
  if (document.valueAt(path) === undefined) return [];
  const expected = 'left out: there are no profiles within profiles';
  const fault = document.complain(path, { expected, showGiven: false, atKey: true });
  return fault === null ? [] : [fault];
}

function explainUnknown(names: readonly string[], chosen: string): ConfigFault {
  const expected =
    names.length === 0 ? 'left unset: the configuration has no profiles' : `one of its profiles: ${names.join(', ')}`;
  const place = { source: 'environment', line: null, column: null, key: 'MARKETPLACE_PROFILE' };
  return { ...place, expected, given: quoteShort(chosen), suggestion: findNearest(chosen, names) };
}

/** What is wrong with a profile that is not chosen. */
function checkOther(document: SourceDocument, name: string): ConfigFault[] {
  const other = copyDocument(document);
  layProfile(other, name);
  const validation = validateDocument(other);
  const key = formatKeyPath(['profiles', name]);
  const faults = [...(validation.ok ? [] : validation.faults), ...checkRelations(other)];
  return faults.filter((fault) => fault.key === key || fault.key.startsWith(`${key}.`));
}

function copyDocument(document: SourceDocument): SourceDocument {
  const copy = new SourceDocument(document.source, document.folder, structuredClone(document.tree));
  for (const [id, place] of document.places) copy.places.set(id, place);
  for (const [id, text] of document.interpolated) copy.interpolated.set(id, text);
  for (const id of document.unresolved) copy.unresolved.add(id);
  return copy;
}

function layProfile(document: SourceDocument, name: string): void {
  const path = ['profiles', name];
  for (const key of Object.keys(Object(document.valueAt(path)))) {
    if (key !== 'profiles') lay(document, [...path, key], [key]);
  }
}

/** Lays the value at one path over that at another. */
function lay(document: SourceDocument, from: KeyPath, onto: KeyPath): void {
  const over = document.valueAt(from);
  const under = document.valueAt(onto);
  if (onto.length === 1 && onto[0] === 'registries' && Array.isArray(over) && Array.isArray(under)) {
    layRegistries(document, from, onto, under);
  } else if (isMapping(over) && isMapping(under) && !isOfOtherType(over, under, onto)) {
    for (const key of Object.keys(over)) lay(document, [...from, key], [...onto, key]);
  } else {
    replace(document, from, onto);
  }
}

function layRegistries(document: SourceDocument, from: KeyPath, onto: KeyPath, under: unknown[]): void {
  const indexes = new Map(under.map((entry, index) => [memberOf(entry, 'name'), index]));
  const over = document.valueAt(from);
  if (!Array.isArray(over)) return;
  over.forEach((entry, index) => {
    const name = memberOf(entry, 'name');
    const known = typeof name === 'string' ? indexes.get(name) : undefined;
    // Given twice in the profile, it comes twice, which is a fault of its own.
    indexes.delete(name);
    if (known === undefined) replace(document, [...from, index], [...onto, under.length]);
    else lay(document, [...from, index], [...onto, known]);
  });
}

/** Keys of one way to prove who one is mean nothing to another. */
function isOfOtherType(over: object, under: object, path: KeyPath): boolean {
  const type = memberOf(over, 'type');
  return path.at(-1) === 'credentials' && type !== undefined && type !== memberOf(under, 'type');
}

function replace(document: SourceDocument, from: KeyPath, onto: KeyPath): void {
  walk(document.valueAt(onto), onto, (path) => {
    const id = placeId(path);
    document.places.delete(id);
    document.interpolated.delete(id);
    document.unresolved.delete(id);
    document.unfilled.delete(id);
  });
  const value = structuredClone(document.valueAt(from));
  document.putAt(onto, value);
  walk(value, onto, (path) => {
    const origin = [...from, ...path.slice(onto.length)];
    const [id, originId] = [placeId(path), placeId(origin)];
    const place = document.places.get(originId);
    const text = document.interpolated.get(originId);
    const unfilled = document.unfilled.get(originId);
    if (place !== undefined) document.places.set(id, { ...place, origin });
    if (text !== undefined) document.interpolated.set(id, text);
    if (document.unresolved.has(originId)) document.unresolved.add(id);
    if (unfilled !== undefined) document.unfilled.set(id, { path, faults: unfilled.faults });
  });
}

/** Visits a value and all that is in it. */
function walk(value: unknown, path: KeyPath, visit: (path: KeyPath) => void): void {
  visit(path);
  if (Array.isArray(value)) for (const [index, member] of value.entries()) walk(member, [...path, index], visit);
  else if (isMapping(value)) for (const key of Object.keys(value)) walk(memberOf(value, key), [...path, key], visit);
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The keys whose values are mappings; whatever else there is the definition refuses. */
function listMappings(value: unknown): string[] {
  return isMapping(value) ? Object.keys(value).filter((key) => isMapping(memberOf(value, key))) : [];
}
