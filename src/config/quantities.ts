/** Durations and sizes as the configuration writes them. */

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTES = { b: 1, kb: 1024, mb: 1024 * 1024 } as const;

/** `250ms`, `2s`, `15m`, `24h`, `7d`; bare digits (from a variable) are milliseconds. The contract, 2. */
export const DURATION_PATTERN = /^(\d+)(ms|s|m|h|d)?$/;
/** `512kb`, `1mb`; bare digits are bytes. A kilobyte is 1024 bytes. */
export const SIZE_PATTERN = /^(\d+)([bB]|[kK][bB]|[mM][bB])?$/;

/** Milliseconds of a duration; a number is milliseconds already. null: no duration. */
export function parseDurationMs(value: string | number): number | null {
  if (typeof value === 'number') return value;
  const [, digits, unit = 'ms'] = DURATION_PATTERN.exec(value) ?? [];
  if (digits === undefined || !isMember(MILLISECONDS, unit)) return null;
  return Number(digits) * MILLISECONDS[unit];
}

/** Bytes of a size; a number is bytes already. null: no size. */
export function parseSizeBytes(value: string | number): number | null {
  if (typeof value === 'number') return value;
  const [, digits, unit = 'b'] = SIZE_PATTERN.exec(value) ?? [];
  const lower = unit.toLowerCase();
  if (digits === undefined || !isMember(BYTES, lower)) return null;
  return Number(digits) * BYTES[lower];
}

function isMember<T extends object>(table: T, key: string): key is Extract<keyof T, string> {
  return Object.hasOwn(table, key);
}
