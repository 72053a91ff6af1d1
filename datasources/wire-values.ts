/**
 * Reading single members of an answer that nobody vouches for. Each function gives the value when it is what it must be,
 * and null (or an empty list) when it is missing or anything else: never a guess, never an exception.
 */

/** An object of which only members known by name are read. */
export type WireObject = Readonly<Record<string, unknown>>;

/** A list longer than this is cut: nobody reads on, and an answer must not cost without bound. */
const MAX_LIST_LENGTH = 1_000;
const MAX_URL_LENGTH = 2_000;
/** Everything of C0, DEL and C1 but tab and line feed: nothing of it may reach a terminal. */
// With the controls of C0 and C1 those of writing direction: they make a text look like another one.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
const ANY_CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
/** Characters that are not seen: a name with one of them looks like a name without it. */
const ANY_UNSEEN = /[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2064\u3164\ufeff\uffa0]/;
const DATE_TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?$/i;

/** An object; null for a list and everything else. */
export function readObject(value: unknown): WireObject | null {
  return isWireObject(value) ? value : null;
}

function isWireObject(value: unknown): value is WireObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A list, cut at the length; empty where it is none. */
export function readList(value: unknown, maxLength = MAX_LIST_LENGTH): readonly unknown[] {
  if (!Array.isArray(value)) return [];
  return value.length > maxLength ? value.slice(0, maxLength) : value;
}

/** A line of text: trimmed, line ends and tabs as spaces, other control characters gone, cut at the length. */
export function readLine(value: unknown, maxLength = 1_000): string | null {
  if (typeof value !== 'string') return null;
  const line = ANY_CONTROL.test(value) ? value.replace(/[\t\n]/g, ' ').replace(CONTROLS, '') : value;
  return finishText(line.trim(), maxLength);
}

/** Text of several lines: tabs and line feeds stay, other control characters go, cut at the length. */
export function readText(value: unknown, maxLength: number): string | null {
  if (typeof value !== 'string') return null;
  return finishText(ANY_CONTROL.test(value) ? value.replace(CONTROLS, '') : value, maxLength);
}

function finishText(text: string, maxLength: number): string | null {
  if (text === '') return null;
  const cut = text.length > maxLength ? text.slice(0, maxLength) : text;
  return cut.isWellFormed() ? cut : cut.toWellFormed();
}

/** An identifier, a name: taken as it is or not at all, because a changed one would name something else. */
export function readIdentifier(value: unknown, maxLength: number): string | null {
  if (typeof value !== 'string' || value === '' || value.length > maxLength) return null;
  return ANY_CONTROL.test(value) || !value.isWellFormed() ? null : value;
}

/** What nearly every name is; nothing of what is refused below is among these. */
const PLAIN_NAME = /^[A-Za-z0-9][\w.+-]*(?:\/[A-Za-z0-9][\w.+-]*)*$/;

/**
 * A template's name, or null: an identifier without white space at its ends, without unseen characters, and without parts that
 * are empty, "." or "..": none of these can be looked up, and all of them are ways to look like a name that is claimed.
 */
export function readName(value: unknown, maxLength: number): string | null {
  if (typeof value === 'string' && value.length <= maxLength && PLAIN_NAME.test(value)) return value;
  const name = readIdentifier(value, maxLength);
  if (name === null || name.trim() !== name || ANY_UNSEEN.test(name)) return null;
  return name.split('/').some((part) => part === '' || part === '.' || part === '..') ? null : name;
}

/** An identifier that may be written as a number: 1.0 in YAML is one before anybody notices. */
export function readVersion(value: unknown, maxLength: number): string | null {
  return readIdentifier(typeof value === 'number' && Number.isFinite(value) ? String(value) : value, maxLength);
}

/** Lines, without what is none and without repetition. */
export function readLines(value: unknown, maxLength = 200): readonly string[] {
  const lines: string[] = [];
  for (const entry of readList(value)) {
    const line = readLine(entry, maxLength);
    if (line !== null) lines.push(line);
  }
  // Every row of a search has such lists, most of them of a few entries.
  return lines.length < 2 ? lines : [...new Set(lines)];
}

/** `true` or `false`, and nothing that passes for one. */
export function readFlag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

/** A finite number within the bounds. */
export function readNumber(value: unknown, least: number, most: number): number | null {
  return typeof value === 'number' && value >= least && value <= most ? value : null;
}

/** A whole number from 0 to 2^53-1. */
export function readCount(value: unknown): number | null {
  return Number.isSafeInteger(value) && typeof value === 'number' && value >= 0 ? value : null;
}

/** An RFC 3339 time, or a date alone (its midnight, UTC), as milliseconds since the epoch. */
export function readTimeMs(value: unknown): number | null {
  if (typeof value !== 'string' || value.length > 40 || !DATE_TIME.test(value)) return null;
  const timeMs = Date.parse(value);
  return Number.isNaN(timeMs) ? null : timeMs;
}

/** An absolute http or https URL without credentials in it. */
export function readUrl(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > MAX_URL_LENGTH) return null;
  const url = URL.parse(value.trim());
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null;
  return url.username === '' && url.password === '' ? url.href : null;
}

/** One of a closed set of words, written in any case. */
export function readChoice<T extends string>(value: unknown, choices: readonly T[]): T | null {
  if (typeof value !== 'string') return null;
  const upper = value.trim().toUpperCase();
  return choices.find((choice) => choice === upper) ?? null;
}
