/** Holds a document against the definition and tells every fault in terms of its keys. */
import * as z from 'zod';
import type { ConfigDocument } from './definition.ts';
import { definition } from './definition.ts';
import type { SourceDocument } from './document.ts';
import { memberOf, placeId } from './document.ts';
import type { ConfigFault, KeyPath } from './faults.ts';
import { UNSUPPORTED } from './forms.ts';
import { quoteShort } from './given.ts';
import { findNearest } from './nearest.ts';

type Issue = z.core.$ZodIssue;

export type Validation =
  | { readonly ok: true; readonly value: ConfigDocument }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

/**
 * Checks the document and fills in the defaults. A text that came from `${...}` becomes a number or a boolean where the
 * key wants one and the text is one; the document's tree then holds it too.
 */
export function validateDocument(document: SourceDocument): Validation {
  let result = definition.safeParse(document.tree);
  if (!result.success && convertInterpolated(document, result.error.issues.flatMap(leafIssues))) {
    result = definition.safeParse(document.tree);
  }
  if (result.success) return { ok: true, value: result.data };
  const faults = new Map<string, ConfigFault>();
  for (const issue of result.error.issues.flatMap(leafIssues)) {
    for (const [path, fault] of explainIssue(document, issue)) {
      // A value that breaks two rules of one key is one fault: what is expected says both.
      if (fault !== null && !faults.has(placeId(path))) faults.set(placeId(path), fault);
    }
  }
  return { ok: false, faults: [...faults.values()] };
}

/** The issues that a reader can act on: of a union, those inside the one alternative that was meant. */
function leafIssues(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const meant = issue.errors.filter((branch) =>
    branch.some((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'),
  );
  const [only] = meant;
  if (only === undefined || meant.length > 1) return [issue];
  return only.flatMap((inner) => leafIssues({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** Turns texts from `${...}` into the numbers and booleans that their keys want. Says whether there was one. */
function convertInterpolated(document: SourceDocument, issues: readonly Issue[]): boolean {
  let converted = false;
  for (const issue of issues) {
    const path = keyPathOf(issue.path);
    const value = document.valueAt(path);
    if (issue.code !== 'invalid_type' || typeof value !== 'string') continue;
    if (!document.interpolated.has(placeId(path))) continue;
    const meant = convertText(value, issue.expected);
    if (meant === null) continue;
    document.replaceAt(path, meant);
    converted = true;
  }
  return converted;
}

function convertText(text: string, expected: string): number | boolean | null {
  if (expected === 'number' && /^-?\d{1,15}(\.\d{1,15})?$/.test(text)) return Number(text);
  if (expected === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return null;
}

function explainIssue(document: SourceDocument, issue: Issue): [KeyPath, ConfigFault | null][] {
  const path = keyPathOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => [[...path, key], explainUnknownKey(document, path, key)]);
  }
  const value = document.valueAt(path);
  if (issue.message === UNSUPPORTED)
    return [[path, document.complain(path, { expected: UNSUPPORTED, showGiven: false, atKey: true })]];
  const suggestion = typeof value === 'string' ? findNearest(value, knownValues(issue)) : null;
  return [[path, document.complain(path, { expected: issue.message, suggestion })]];
}

function explainUnknownKey(document: SourceDocument, path: KeyPath, key: string): ConfigFault | null {
  const known = knownKeysAt(definition, path, document.tree);
  return document.complain([...path, key], {
    expected: `a known key (${known.join(', ')})`,
    given: quoteShort(key),
    atKey: true,
    suggestion: findNearest(key, known),
  });
}

function knownValues(issue: Issue): string[] {
  const values = issue.code === 'invalid_value' ? issue.values : issue.code === 'invalid_union' ? optionsOf(issue) : [];
  return values.filter((value) => typeof value === 'string');
}

function optionsOf(issue: Issue): readonly unknown[] {
  const options: unknown = Reflect.get(issue, 'options');
  return Array.isArray(options) ? options : [];
}

/** The keys that this version reads in the mapping at a path, in the order of the definition. */
function knownKeysAt(schema: unknown, path: KeyPath, value: unknown): string[] {
  const bare = unwrap(schema);
  const [head, ...rest] = path;
  if (bare instanceof z.ZodUnion) {
    const type = memberOf(value, 'type');
    const options = bare.options.map(unwrap).filter((option) => option instanceof z.ZodObject);
    const meant = options.filter((option) => optionAccepts(option, type));
    return [...new Set((meant.length > 0 ? meant : options).flatMap((option) => knownKeysAt(option, path, value)))];
  }
  if (head === undefined) return bare instanceof z.ZodObject ? readableKeys(bare) : [];
  if (bare instanceof z.ZodArray) return knownKeysAt(bare.element, rest, memberOf(value, head));
  if (bare instanceof z.ZodObject) return knownKeysAt(bare.shape[head], rest, memberOf(value, head));
  return [];
}

function readableKeys(schema: z.ZodObject): string[] {
  return Object.keys(schema.shape).filter((key) => !(unwrap(schema.shape[key]) instanceof z.ZodNever));
}

function optionAccepts(option: z.ZodObject, type: unknown): boolean {
  const literal = unwrap(option.shape.type);
  return literal instanceof z.ZodLiteral && literal.safeParse(type).success;
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault) return unwrap(schema.unwrap());
  return schema;
}

function keyPathOf(path: readonly PropertyKey[]): KeyPath {
  return path.map((part) => (typeof part === 'number' ? part : String(part)));
}
