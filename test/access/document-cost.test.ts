import fc from 'fast-check';
import {
  getNamedType,
  getNullableType,
  getOperationAST,
  isCompositeType,
  isListType,
  isObjectType,
  parse,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { createCostMeter, measureCost } from '../../src/access/document-cost.ts';
import { buildGatewaySchema } from '../../src/server/schema.ts';

const schema = buildGatewaySchema();

function costOf(source: string, variables: Record<string, unknown> = {}, registryCount = 3): number {
  const document = parse(source);
  const operation = getOperationAST(document);
  if (!operation) throw new Error('there must be one operation');
  return measureCost({ schema, document, operation, variables, registryCount, maxPageSize: 100, window: 50 });
}

/** Calls of a page of n rows over three registries, in windows of 50 (contract, 5.2), and three questions for names. */
const page = (n = 20) => 3 + Math.min(3, n) + Math.ceil(n / 50) + 3;

describe('the cost of an operation', () => {
  it.each([
    ['{ viewer { subject } }', 1],
    ['{ search { totalCount } }', page() + 1],
    ['{ search { nodes { name } } }', page() + 1 + 20],
    ['{ search(first: 7) { nodes { name title } edges { cursor node { name } } } }', page(7) + 1 + 7 + 7 * (1 + 1)],
    ['{ search(last: 7) { nodes { parent { name } } } }', page(7) + 1 + 7 * (1 + 3 + 1)],
    ['{ search(first: 2) { nodes { alternatives(first: 5) { name } } } }', page(2) + 1 + 2 * (1 + page(6) + 5)],
    ['{ search(first: 9) { registries { registry { name } } } }', page(9) + 1 + 3 * (1 + 1)],
    ['{ template(name: "a") { name } }', 3 + 3 + 1],
    ['{ template(name: "a", registry: "b") { name } }', 1 + 3 + 1],
    ['{ nodes(ids: ["a", "b"]) { id } }', 2 + 2],
    ['query ($ids: [ID!]! = ["a", "b", "c"]) { nodes(ids: $ids) { id } }', 3 + 3],
    ['{ registries { health { circuits { state } } } }', 3 * (1 + 1 + 4)],
    ['{ gateway { metrics { errors { name } } } }', 1 + 1 + 10],
    ['{ a: search { totalCount } b: search { totalCount } }', 2 * (page() + 1)],
    ['{ __schema { types { name } } }', 100],
    ['{ ...f ...f } fragment f on Query { search { totalCount } }', page() + 1],
    ['{ ... on Query { search { totalCount } } }', page() + 1],
    [
      '{ search(first: 2) { ...f } b: search(first: 5) { ...f } } fragment f on TemplateConnection { nodes { name } }',
      page(2) + 1 + 2 + page(5) + 1 + 5,
    ],
    ['{ ...f } fragment f on Query { ...f search { totalCount } }', page() + 1],
  ])('of %s is %i objects and calls', (source, cost) => {
    expect(costOf(source)).toBe(cost);
  });

  it('counts a page size from a variable, its default, or the largest page for one beyond it', () => {
    const source = 'query Q($n: Int = 5) { search(first: $n) { nodes { name } } }';
    expect(costOf(source, { n: 50 })).toBe(page(50) + 1 + 50);
    expect(costOf(source)).toBe(page(5) + 1 + 5);
    expect(costOf(source, { n: 10_000 })).toBe(page(100) + 1 + 100);
    expect(costOf(source, { n: -10_000 })).toBe(page(1) + 1 + 1);
    expect(costOf(source, { n: 'ten' })).toBe(page(20) + 1 + 20);
  });

  it('knows the length of every list of objects, or assumes one', () => {
    const lists = Object.values(schema.getTypeMap()).flatMap((type) => {
      if (!isObjectType(type) || type.name.startsWith('__')) return [];
      const fields = Object.values(type.getFields());
      return fields
        .filter((field) => isListType(getNullableType(field.type)) && isCompositeType(getNamedType(field.type)))
        .map((field) => ({ type, field }));
    });
    // Those that a page size or a list of ids says the length of are measured above.
    for (const { type, field } of lists.filter(({ field: { name } }) => name !== 'nodes' && name !== 'edges')) {
      const fragment = (more: string) => `fragment f on ${type.name} { ${field.name} { ${more} } }`;
      const wrap = (more: string) => costOf(`{ ...g } fragment g on Query { ...f } ${fragment(more)}`, {}, 4);
      expect(wrap('a: __typename b: __schema') - wrap('__typename'), `${type.name}.${field.name}`).toBeGreaterThan(100);
    }
    expect(lists.length).toBeGreaterThan(20);
  });

  it('never falls when a selection grows', () => {
    const field = fc.constantFrom(
      'name',
      'parent { name }',
      'sources { version }',
      'alternatives(first: 2) { name }',
      'content { text }',
    );
    fc.assert(
      fc.property(
        fc.array(field, { minLength: 1, maxLength: 6 }),
        field,
        fc.integer({ min: 1, max: 100 }),
        (some, more, first) => {
          const wrap = (fields: readonly string[]) =>
            `{ search(first: ${first}) { nodes { ${fields.map((each, index) => `a${index}: ${each}`).join(' ')} } } }`;
          expect(costOf(wrap([...some, more]))).toBeGreaterThanOrEqual(costOf(wrap(some)));
        },
      ),
    );
  });
});

describe('a meter of one operation', () => {
  it('measures what is measured anew, whatever the variables', () => {
    const source = `query ($a: Int, $b: Int = 7, $ids: [ID!]!, $r: String) {
      search(first: $a) { nodes { name } } x: search(last: $b) { nodes { parent { name } } }
      nodes(ids: $ids) { id } template(name: "a", registry: $r) { ...f }
    }
    fragment f on Template { alternatives(first: $b) { name } }`;
    const document = parse(source);
    const operation = getOperationAST(document);
    if (!operation) throw new Error('there must be one operation');
    const measure = createCostMeter({ schema, document, operation, window: 50 });
    const count = fc.option(fc.oneof(fc.integer({ min: -2, max: 200 }), fc.double(), fc.string(), fc.boolean()));
    const variables = fc.record(
      {
        a: count,
        b: count,
        ids: fc.oneof(fc.array(fc.string()), fc.string()),
        r: fc.option(fc.string()),
        z: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(variables, fc.integer({ min: 0, max: 3 }), (given, registryCount) => {
        const told = { variables: given, registryCount, maxPageSize: 100, window: 50 };
        const cost = measureCost({ schema, document, operation, ...told });
        expect(measure(told)).toBe(cost);
        expect(measure(told)).toBe(cost);
      }),
    );
  });
});
