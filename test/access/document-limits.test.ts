import { describe, expect, it } from 'vitest';
import { createDocumentCheck } from '../../src/access/document-limits.ts';
import { QueryTooComplex } from '../../src/access/errors.ts';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';

const MAX_DEPTH = 12;
const check = createDocumentCheck({
  ...{ depth: MAX_DEPTH, fields: 1000, rootFields: 50, aliases: 100, directives: 100, tokens: 5000 },
});

const nested = (depth: number) => `${'a { '.repeat(depth - 1)}a${' }'.repeat(depth - 1)}`;
const many = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => make(index)).join(' ');

describe('the bounds of a document', () => {
  it.each([
    ['depth', `{ ${nested(12)} }`, `{ ${nested(13)} }`],
    [
      'depth through a fragment',
      `{ a { ...f } } fragment f on A { ${nested(11)} }`,
      `{ a { ...f } } fragment f on A { ${nested(12)} }`,
    ],
    [
      'depth through an inline fragment',
      `{ a { ... on A { ${nested(11)} } } }`,
      `{ a { ... on A { ${nested(12)} } } }`,
    ],
    ['aliases', `{ a { ${many(100, (i) => `a${i}: a`)} } }`, `{ a { ${many(101, (i) => `a${i}: a`)} } }`],
    ['root fields', `{ ${many(50, () => 'a')} }`, `{ ${many(51, () => 'a')} }`],
    [
      'root fields through a fragment',
      `{ ...f } fragment f on Q { ${many(50, () => 'a')} }`,
      `{ ...f a } fragment f on Q { ${many(50, () => 'a')} }`,
    ],
    ['directives', `{ a ${many(100, () => '@b')} }`, `{ a ${many(101, () => '@b')} }`],
    [
      'directives anywhere',
      `query @b { a { ...f @b ... @b { a ${many(97, () => '@b')} } } }`,
      `query @b { a { ...f @b ... @b { a ${many(98, () => '@b')} } } }`,
    ],
    ['fields', `{ a { ${many(999, () => 'a')} } }`, `{ a { ${many(1000, () => 'a')} } }`],
    ['tokens', `{ a(b: [${many(4990, () => '1')}]) }`, `{ a(b: [${many(5000, () => '1')}]) }`],
    ['introspection depth', `{ __schema { ${nested(19)} } }`, `{ __schema { ${nested(20)} } }`],
    [
      'brackets within brackets',
      `{ a(b: ${'['.repeat(98)}${']'.repeat(98)}) }`,
      `{ a(b: ${'['.repeat(99)}${']'.repeat(99)}) }`,
    ],
  ])('%s: one on the bound passes, one beyond it does not', (_, allowed, refused) => {
    expect(() => check(allowed)).not.toThrow();
    expect(() => check(refused)).toThrow(QueryTooComplex);
    // Asked again, the answer is the same.
    expect(() => check(refused)).toThrow(QueryTooComplex);
  });

  it.each(['{ a(', '', '{ a(b: "', '"""', '{ a \\ }', '{}', '}'.repeat(4000)])('%j is left to the parser', (text) => {
    expect(check(text).operations.size).toBe(0);
  });

  it('leaves circles of fragments to validation', () => {
    const circle = many(100, (index) => `fragment f${index} on A { a ...f${(index + 1) % 100} }`);
    expect(() => check(`{ a { ...f0 } } ${circle}`)).not.toThrow();
  });

  it('measures a chain of doubling fragments by its length', CLOCK_BOUND, () => {
    const chain = many(400, (index) => `fragment f${index} on A { ...f${index + 1} ...f${index + 1} }`);
    const startedMs = performance.now();
    expect(() => check(`{ a ...f0 } ${chain} fragment f400 on A { a }`)).toThrow(QueryTooComplex);
    expect(performance.now() - startedMs).toBeLessThan(100);
  });

  it('tells the operations of a document by their names', () => {
    expect([...check('query A { a } mutation B { b }').operations]).toEqual([
      ['A', 'query'],
      ['B', 'mutation'],
    ]);
    expect([...check('{ a }').operations]).toEqual([['', 'query']]);
  });
});
