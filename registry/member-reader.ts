/**
 * Reads the members of one untrusted object, and keeps a sentence for each that is not what it must be.
 */
export type Members = Readonly<Record<string, unknown>>;

/** Whether a value is an object with members: no list, no null. */
export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 3339 with or without a time; without a zone it is UTC. */
const TIME = /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2})?)?$/;

/** Milliseconds since the epoch of an RFC 3339 time or a date (midnight UTC); null when it is neither. */
export function parseTimeMs(text: string): number | null {
  if (!TIME.test(text)) return null;
  const hasZone = text.length === 10 || /(?:[Zz]|[+-]\d{2}:\d{2})$/.test(text);
  const timeMs = Date.parse(hasZone ? text : `${text}Z`);
  return Number.isNaN(timeMs) ? null : timeMs;
}

/** One object being read. Every method gives null (or an empty list) where the member is absent or faulty. */
export class MemberReader {
  readonly #members: Members;
  readonly #fallback: Members;
  readonly #path: string;
  /** One sentence per faulty member. Shared with the readers of nested objects. */
  readonly faults: string[];

  /**
   * `fallback` is asked for members that `members` does not have; `path` stands before the names of members in faults.
   */
  constructor(members: Members, path = '', faults: string[] = [], fallback: Members = {}) {
    this.#members = members;
    this.#path = path;
    this.faults = faults;
    this.#fallback = fallback;
  }

  /** A non-empty text without lone surrogates. */
  readText(name: string): string | null {
    const value = this.#get(name);
    if (value === undefined) return null;
    if (typeof value === 'string' && value !== '' && value.isWellFormed()) return value;
    const hint = typeof value === 'number' ? ': put it in quotes' : '';
    return this.#refuse(name, 'a text that is not empty', value, hint);
  }

  /** As `readText`; that the member is absent is a fault. */
  requireText(name: string): string | null {
    if (this.#get(name) === undefined) this.faults.push(`"${this.#path}${name}" must be given`);
    return this.readText(name);
  }

  /** One of a closed set, in any case; given back as the set spells it. */
  readChoice(name: string, choices: readonly string[]): string | null {
    const value = this.readText(name);
    if (value === null || choices.includes(value)) return value;
    return choices.find((choice) => choice === value.toLowerCase()) ?? this.#refuse(name, choices.join(', '), value);
  }

  readTexts(name: string): readonly string[] {
    const value = this.#get(name);
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item.isWellFormed())) return value;
    this.#refuse(name, 'a list of texts', value);
    return [];
  }

  readNumber(name: string, minimum: number, maximum: number): number | null {
    const value = this.#get(name);
    if (value === undefined) return null;
    if (typeof value === 'number' && value >= minimum && value <= maximum) return value;
    return this.#refuse(name, `a number from ${minimum} to ${maximum}`, value);
  }

  readCount(name: string): number | null {
    const value = this.#get(name);
    if (value === undefined) return null;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    return this.#refuse(name, 'a whole number, 0 or more', value);
  }

  readFlag(name: string): boolean | null {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'boolean') return value ?? null;
    return this.#refuse(name, 'true or false', value);
  }

  /** A date or an RFC 3339 time, as written. */
  readTime(name: string): string | null {
    const value = this.#get(name);
    if (value === undefined) return null;
    if (typeof value === 'string' && parseTimeMs(value) !== null) return value;
    return this.#refuse(name, 'a date or an RFC 3339 time', value);
  }

  /** The members of a nested object; null where it is absent. */
  readMembers(name: string): Members | null {
    const value = this.#get(name);
    if (value === undefined) return null;
    return isMembers(value) ? value : this.#refuse(name, 'an object', value);
  }

  /** Reads each object of a list; the list is empty where the member is absent. */
  readEach<T>(name: string, read: (reader: MemberReader) => T): readonly T[] {
    const value = this.#get(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.#refuse(name, 'a list', value);
      return [];
    }
    return value.flatMap((item, index) => {
      if (isMembers(item)) return [read(new MemberReader(item, `${this.#path}${name}[${index}].`, this.faults))];
      this.#refuse(`${name}[${index}]`, 'an object', item);
      return [];
    });
  }

  /** Keeps the sentence "what must be, what was given". */
  #refuse(name: string, expected: string, value: unknown, hint = ''): null {
    this.faults.push(`"${this.#path}${name}" must be ${expected}, but ${describeValue(value)} was given${hint}`);
    return null;
  }

  #get(name: string): unknown {
    return this.#members[name] ?? this.#fallback[name] ?? undefined;
  }
}

function describeValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value.toWellFormed());
  return String(value);
}
