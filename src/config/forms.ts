/** The forms that settings have. Every error completes "must be ..."; ranges name their source. */
import * as z from 'zod';
import { DURATION_PATTERN, parseDurationMs, parseSizeBytes, SIZE_PATTERN } from './quantities.ts';

/** The longest a timer of Node can wait, a little under 25 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Cache times are compared, not waited for; ten years is as good as for ever. */
export const MAX_AGE_MS = 3650 * 86_400_000;
/** Shorter ones could be guessed from a cursor or a signature; `openssl rand -hex 16` gives twice that. */
export const MIN_SECRET_LENGTH = 16;

export const UNSUPPORTED = 'left out: it is not supported by this version';

/** Keys and values, and no key beside these. */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, { error: 'a mapping of keys to values' });
}

/** A setting that a later version reads. */
export function unsupported() {
  return z.never({ error: UNSUPPORTED }).optional().meta({ description: 'Not supported by this version.' });
}

/** A time, in milliseconds. */
export function duration(defaultValue: string, range: { min: number; max: number }) {
  return durationOf(range).prefault(defaultValue);
}

/** The same without a default. `orElse` goes on with what is expected. */
export function durationOf(range: { min: number; max: number }, orElse = '') {
  const error = `a duration such as 250ms, 2s, 15m, 24h or 7d, or a number of milliseconds, from ${range.min} to ${range.max} ms${orElse}`;
  return z
    .union(
      [
        z.number({ error }).int({ error }).nonnegative({ error }),
        z.string({ error }).regex(DURATION_PATTERN, { error }),
      ],
      {
        error,
      },
    )
    .transform((value) => parseDurationMs(value) ?? Number.NaN)
    .pipe(z.number({ error }).min(range.min, { error }).max(range.max, { error }));
}

/** A time that is waited for. */
export const timer = (defaultValue: string) => duration(defaultValue, { min: 1, max: MAX_TIMER_MS });
/** A time for which answers are kept; 0: not at all. */
export const age = (defaultValue: string) => duration(defaultValue, { min: 0, max: MAX_AGE_MS });

/** A size, in bytes. */
export function size(defaultValue: string, maxBytes: number) {
  return sizeOf(maxBytes).prefault(defaultValue);
}

function sizeOf(maxBytes: number, orElse = '') {
  const error = `a size such as 512kb or 1mb, or a number of bytes, from 1 to ${maxBytes} bytes${orElse}`;
  return z
    .union(
      [z.number({ error }).int({ error }).nonnegative({ error }), z.string({ error }).regex(SIZE_PATTERN, { error })],
      { error },
    )
    .transform((value) => parseSizeBytes(value) ?? Number.NaN)
    .pipe(z.number({ error }).min(1, { error }).max(maxBytes, { error }));
}

/** A size, or the word `off`. */
export function sizeOrOff(defaultValue: string, maxBytes: number) {
  return z
    .union([z.literal('off'), sizeOf(maxBytes, ', or off')], {
      error: `a size such as 512kb or 1mb, or a number of bytes, from 1 to ${maxBytes} bytes, or off`,
    })
    .prefault(defaultValue);
}

/** A whole number. */
export function count(range: { min: number; max: number }) {
  const error = `a whole number from ${range.min} to ${range.max}`;
  return z.number({ error }).int({ error }).min(range.min, { error }).max(range.max, { error });
}

/** A whole number from 1 on, or the word `off`. */
export function countOrOff(defaultValue: number) {
  const range = { min: 1, max: 1_000_000_000 };
  return z
    .union([z.literal('off'), count(range)], { error: `a whole number from ${range.min} to ${range.max}, or off` })
    .prefault(defaultValue);
}

/** `true` or `false`. */
export function flag(defaultValue: boolean) {
  return z.boolean({ error: 'true or false' }).prefault(defaultValue);
}

/** Text of a line: what ends up in headers and logs must not break them. */
export function text(expected = 'text of one line, not empty (quote it when it looks like a number)') {
  return z.string({ error: expected }).regex(/^[^\p{Cc}]+$/u, { error: expected });
}

/** One of these words. */
export function choice<const Values extends readonly string[]>(values: Values) {
  return z.enum(values, { error: `one of ${values.join(', ')}` });
}

/** A list of names. */
export const names = (expected: string) => z.array(text(expected), { error: `a list of ${expected}` });

/** Text that a function checks: it gives what is expected instead, or null. */
export function checkedText(check: (value: string) => string | null, expected: string) {
  return z.string({ error: expected }).superRefine((value, context) => {
    const fault = check(value);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  });
}

/** What seals and signs. */
export const secretText = z
  .string({ error: `text of at least ${MIN_SECRET_LENGTH} characters` })
  .min(MIN_SECRET_LENGTH, { error: `text of at least ${MIN_SECRET_LENGTH} characters` });
