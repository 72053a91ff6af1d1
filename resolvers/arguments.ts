/**
 * Checks that arguments share. Each throws BadUserInput with the path of the argument, before any registry is called; what
 * the schema's types already rule out is not checked again.
 */
import { BadUserInput } from '../src/domain/errors.ts';
import type { FederationView } from '../src/federation/answers.ts';

/** Longest search text, in code points (the contract's schema). */
const MAX_QUERY_CHARACTERS = 1000;
/** Longest name, version or filter value, in UTF-16 units: far beyond what registries use, and short in an upstream address. */
const MAX_VALUE_LENGTH = 500;
/** Most values in one list: together with their length this bounds the address of an upstream request. */
const MAX_LIST_LENGTH = 100;

// C0 and C1 controls and DEL, without the white space among them.
const CONTROL_EXCEPT_SPACE = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f]/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** A whole number within bounds, both included. */
export function checkRange(field: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw new BadUserInput(field, `"${field}" must be from ${least} to ${most}; ${value} was given.`);
}

/** The text of a search, trimmed; empty for null. */
export function checkQuery(field: string, query: string | null): string {
  if (query === null) return '';
  if (
    query.length > MAX_QUERY_CHARACTERS &&
    [...query.slice(0, 2 * MAX_QUERY_CHARACTERS + 1)].length > MAX_QUERY_CHARACTERS
  ) {
    throw new BadUserInput(field, `"${field}" must have ${MAX_QUERY_CHARACTERS} characters at most. Shorten it.`);
  }
  if (CONTROL_EXCEPT_SPACE.test(query) || !query.isWellFormed()) {
    throw new BadUserInput(
      field,
      `"${field}" must be plain text; control characters or halves of characters were given.`,
    );
  }
  return query.trim();
}

/** A name, a version, or a value to filter by: not empty, of bounded length, without control characters. */
export function checkValue(field: string, value: string): string {
  if (value.length === 0 || value.length > MAX_VALUE_LENGTH) {
    throw new BadUserInput(
      field,
      `"${field}" must have 1 to ${MAX_VALUE_LENGTH} characters; ${value.length} were given.`,
    );
  }
  if (CONTROL.test(value) || !value.isWellFormed()) {
    throw new BadUserInput(
      field,
      `"${field}" must be plain text; control characters or halves of characters were given.`,
    );
  }
  return value;
}

/** Null stays null; a list must hold 1 to 100 values. */
export function checkList<T>(field: string, values: readonly T[] | null | undefined): readonly T[] | null {
  if (values === null || values === undefined) return null;
  if (values.length === 0) {
    throw new BadUserInput(
      field,
      `"${field}" must hold at least one value; an empty list was given. Leave it out for no filter.`,
    );
  }
  return checkListLength(field, values);
}

/** A list that may be empty, of 100 values at most. */
export function checkListLength<T>(field: string, values: readonly T[]): readonly T[] {
  if (values.length <= MAX_LIST_LENGTH) return values;
  throw new BadUserInput(field, `"${field}" must hold ${MAX_LIST_LENGTH} values at most; ${values.length} were given.`);
}

/** As `checkList`, with each of its values checked as by `checkValue`. */
export function checkValues(field: string, values: readonly string[] | null | undefined): readonly string[] | null {
  const list = checkList(field, values);
  for (const value of list ?? []) checkValue(field, value);
  return list;
}

/** As `checkList`; each must name a registry that the caller may see. */
export function checkRegistryNames(
  field: string,
  names: readonly string[] | null | undefined,
  view: FederationView,
): readonly string[] | null {
  const list = checkList(field, names);
  for (const name of list ?? []) checkRegistryName(field, name, view);
  return list;
}

/** The name of a registry that the caller may see. */
export function checkRegistryName(field: string, name: string, view: FederationView): string {
  return view.registryNamed(checkValue(field, name), field).source.info.name;
}
