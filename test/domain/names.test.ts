import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globsOverlap, matchesGlob, normalizeName } from '../../src/domain/names.ts';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';

describe('two spellings of one name are one name', () => {
  it.each([
    ['uni/Python', 'uni/python', 'case'],
    ['uni%2Fpython', 'uni/python', 'an escape'],
    ['uni%252Fpython', 'uni/python', 'an escaped escape'],
    ['uni%25%32%46python', 'uni/python', 'an escape spelt in escapes'],
    ['uni/pytho\uff4e', 'uni/python', 'a full-width letter'],
    ['uni\uff052Fpython', 'uni/python', 'a full-width percent sign'],
    ['uni%EF%BC%852Fpython', 'uni/python', 'an escaped full-width percent sign'],
    ['STRASSE', 'straße', 'sharp s'],
    ['ISTANBUL', 'ıstanbul', 'dotless i'],
    ['ΟΔΟΣ', 'οδος', 'final sigma'],
    ['ΟΔΟΣ/x', 'οδοσ/X', 'sigma that is not final'],
    ['caf\u0065\u0301', 'caf\u00e9', 'a composed accent'],
    ['caf%C3%A9', 'CAFÉ', 'escaped UTF-8'],
    ['\ufb01sh', 'fish', 'a ligature'],
    ['%F0%9F%A7%AC', '🧬', 'a character beyond U+FFFF'],
    ['a%80', 'A%80', 'a malformed escape and case'],
  ])('%s and %s (%s)', (one, other) => {
    expect(normalizeName(one)).toBe(normalizeName(other));
  });

  it.each([
    ['a%FF', 'a%FE'],
    ['a%C3', 'a%C2'],
    ['a%ED%A0%80', 'a%ED%A0%81'],
    ['a%', 'a'],
    ['%2', '2'],
    ['%zz', 'zz'],
    ['uni/a', 'uni-a'],
  ])('%s and %s stay two', (one, other) => {
    expect(normalizeName(one)).not.toBe(normalizeName(other));
  });

  it('normalising a normalised name changes nothing', () => {
    const hostile = fc.string({
      unit: fc.oneof(
        fc.constantFrom('%', '2', '5', 'F', 'c3', 'a', 'İ', 'ı', 'ß', 'Σ', 'ς', '\uff05', '\u0345', '\u0307', '*', '/'),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      ),
      maxLength: 40,
    });
    fc.assert(
      fc.property(hostile, (name) => {
        const once = normalizeName(name);
        expect(normalizeName(once)).toBe(once);
      }),
      { numRuns: 2000 },
    );
  });

  it('upper, lower and escaped spellings of any text are one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (name) => {
        const wellFormed = name.toWellFormed();
        expect(normalizeName(encodeURIComponent(encodeURIComponent(wellFormed)))).toBe(normalizeName(wellFormed));
        expect(normalizeName(wellFormed.toUpperCase())).toBe(normalizeName(wellFormed.toUpperCase().toLowerCase()));
      }),
    );
  });

  it('a name that was encoded fifty thousand times is decoded in one pass', CLOCK_BOUND, () => {
    const started = performance.now();
    expect(normalizeName(`%${'25'.repeat(50_000)}61`)).toBe('a');
    expect(performance.now() - started).toBeLessThan(500);
  });
});

/** What a glob means, said as plainly as possible. */
function matchesPlainly(glob: string, name: string): boolean {
  if (glob === '') return name === '';
  const rest = glob.slice(1);
  if (glob[0] !== '*') return glob[0] === name[0] && name !== '' && matchesPlainly(rest, name.slice(1));
  return Array.from({ length: name.length + 1 }, (_, skip) => name.slice(skip)).some((tail) =>
    matchesPlainly(rest, tail),
  );
}

const smallGlob = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 });
/** Every text over two letters that two globs of six characters could share at the shortest. */
const smallNames = ['', ...enumerate(11)];

function enumerate(length: number): string[] {
  if (length === 0) return [];
  const shorter = enumerate(length - 1);
  const longest = shorter.length === 0 ? [''] : shorter.filter((name) => name.length === length - 1);
  return [...shorter, ...longest.flatMap((name) => [`${name}a`, `${name}b`])];
}

describe('globs', () => {
  it('a star stands for any characters, slashes too, and for none', () => {
    expect(matchesGlob('uni/*', 'uni/a/b')).toBe(true);
    expect(matchesGlob('uni/*', 'uni/')).toBe(true);
    expect(matchesGlob('uni/*', 'uni')).toBe(false);
    expect(matchesGlob('*-gpu', 'pytorch-gpu')).toBe(true);
    expect(matchesGlob('a.c', 'abc')).toBe(false);
  });

  it('match as their definition says', () => {
    fc.assert(
      fc.property(smallGlob, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (glob, name) => {
        expect(matchesGlob(glob, name)).toBe(matchesPlainly(glob, name));
      }),
      { numRuns: 3000 },
    );
  });

  it('overlap exactly when some name matches both', () => {
    fc.assert(
      fc.property(smallGlob, smallGlob, (a, b) => {
        expect(globsOverlap(a, b)).toBe(smallNames.some((name) => matchesGlob(a, name) && matchesGlob(b, name)));
        expect(globsOverlap(b, a)).toBe(globsOverlap(a, b));
      }),
      { numRuns: 1500 },
    );
  });

  it('a glob with many stars does not make a long name slow', CLOCK_BOUND, () => {
    const started = performance.now();
    expect(matchesGlob(`${'*a'.repeat(90)}*b`, 'a'.repeat(20_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
