/** A configuration as it was read, before it is checked: the values, and where each of them stands. */
import type { ConfigFault, KeyPath } from './faults.ts';
import { formatKeyPath } from './faults.ts';
import { describeValue, isSecretPath } from './given.ts';

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Place {
  /** Of the key, or of the list's entry. */
  readonly key: Position;
  /** Of the value; the key's for a mapping or a list, whose value begins on another line. */
  readonly value: Position;
  /** The path by which it stands in the file, where it was laid over another. */
  readonly origin?: KeyPath;
}

/** What a fault says; the rest of it follows from the document and the path. */
export interface Complaint {
  /** Completes "must be ...". */
  readonly expected: string;
  /** Whether the value is shown; a secret's value never is. Default: true. */
  readonly showGiven?: boolean;
  /** Shown instead of the value. */
  readonly given?: string;
  readonly suggestion?: string | null;
  /** The key itself is wrong, whatever its value: the fault points there. */
  readonly atKey?: boolean;
}

/** Plain values with their places. A document that was built in code has no places and nothing interpolated. */
export class SourceDocument {
  readonly source: string;
  /** Relative paths in the document start here. */
  readonly folder: string;
  tree: unknown;
  readonly places = new Map<string, Place>();
  /** Texts with `${...}`, as written: their values come from elsewhere and are never shown. */
  readonly interpolated = new Map<string, string>();
  /** Texts whose `${...}` could not be filled in: already faults, so whatever else is wrong with them is not. */
  readonly unresolved = new Set<string>();
  /** Why those could not be, by the same ids. */
  readonly unfilled = new Map<string, { readonly path: KeyPath; readonly faults: readonly ConfigFault[] }>();
  /** Variables that the document reads, set or not. */
  readonly variables = new Set<string>();
  /** Other files that were read for it, or could not be; absolute paths. */
  readonly files = new Set<string>();

  constructor(source: string, folder: string, tree: unknown) {
    this.source = source;
    this.folder = folder;
    this.tree = tree;
  }

  /** The value at a path; undefined where there is none. */
  valueAt(path: KeyPath): unknown {
    return path.reduce<unknown>(memberOf, this.tree);
  }

  /** Puts another value at a path that exists. */
  replaceAt(path: KeyPath, value: unknown): void {
    const parent = this.valueAt(path.slice(0, -1));
    const last = path.at(-1);
    if (last !== undefined && typeof parent === 'object' && parent !== null) Reflect.set(parent, last, value);
  }

  /** Puts a value at a path, whose parent exists; the key need not. */
  putAt(path: KeyPath, value: unknown): void {
    const parent = this.valueAt(path.slice(0, -1));
    const last = path.at(-1);
    if (last === undefined || typeof parent !== 'object' || parent === null) return;
    // Defined, not assigned: a key named __proto__ is a key like any other.
    Object.defineProperty(parent, last, { value, enumerable: true, writable: true, configurable: true });
  }

  /** The fault at a path; null where the value could not even be filled in, which is a fault already. */
  complain(path: KeyPath, complaint: Complaint): ConfigFault | null {
    const id = placeId(path);
    if (this.unresolved.has(id)) return null;
    const value = this.valueAt(path);
    const given = complaint.given ?? (complaint.showGiven === false ? null : this.describeAt(path, value));
    const { expected, suggestion = null, atKey = false } = complaint;
    return { ...this.locate(path, atKey), expected, given, suggestion };
  }

  /** Source, line, column and key of a path; of the nearest place above it where the path itself has none. */
  locate(path: KeyPath, atKey = false): Pick<ConfigFault, 'source' | 'line' | 'column' | 'key'> {
    for (let length = path.length; length >= 0; length--) {
      const place = this.places.get(placeId(path.slice(0, length)));
      if (place === undefined) continue;
      const { line, column } = length === path.length && !atKey ? place.value : place.key;
      const key = formatKeyPath([...(place.origin ?? path.slice(0, length)), ...path.slice(length)]);
      return { source: this.source, line, column, key };
    }
    return { source: this.source, line: null, column: null, key: formatKeyPath(path) };
  }

  private describeAt(path: KeyPath, value: unknown): string {
    const written = this.interpolated.get(placeId(path));
    if (written !== undefined && !isSecretPath(path)) return `the value of ${describeValue(written, path)}`;
    return describeValue(value, path);
  }
}

/** One text for one path, to look it up by. */
export function placeId(path: KeyPath): string {
  return JSON.stringify(path);
}

/** A value's own member, whatever the value is. */
export function memberOf(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return Reflect.get(value, key);
}

/** The entries of a list; none where the value is no list. */
export function entriesOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
