import fc from 'fast-check';
import { getArgumentValues, getOperationAST, getVariableValues, type OperationDefinitionNode, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { planArguments, readArguments } from '../../src/server/planned-arguments.ts';
import { planVariables } from '../../src/server/planned-variables.ts';
import { buildGatewaySchema } from '../../src/server/schema.ts';

const schema = buildGatewaySchema();

const SEARCH = `query (
  $query: String
  $filter: TemplateFilter = { categories: ["ml"], minRating: 2 }
  $orderBy: TemplateOrder
  $first: Int = 5
  $last: Int!
  $collapse: Boolean! = false
  $require: [String!]
  $since: DateTime
  $ids: [ID!]! = ["a"]
  $window: MetricsWindow! = ONE_HOUR
) {
  search(query: $query, filter: $filter, orderBy: $orderBy, first: $first, last: $last, collapse: $collapse, require: $require) { partial }
  again: search(filter: { updatedSince: $since, categories: ["a", "b"] }, first: 3, timeoutMs: null) { partial }
  plain: search(orderBy: { field: NAME }, require: "one") { partial }
  nodes(ids: $ids) { id }
  nobody: nodes(ids: [$query]) { id }
  registry(name: $query) { metrics(window: $window) { requests } }
}`;

const operation = readOperation(SEARCH);

function readOperation(source: string): OperationDefinitionNode {
  const found = getOperationAST(parse(source));
  if (!found) throw new Error('one operation must be given');
  return found;
}

const text = fc.constantFrom<unknown[]>('rna', '', '2026-03-01T12:00:00Z', 'NAME', 'DESC', 'MODERATE', 'ONE_MINUTE');
const simple = fc.oneof(
  text,
  fc.constantFrom<unknown[]>(null, undefined, true, false, 0, -0, 1, 2.5, 2 ** 31, Number.NaN),
);
const list = fc.oneof(fc.array(simple, { maxLength: 3 }), fc.array(text, { maxLength: 3 }), simple);

const filter = fc.record(
  {
    categories: list,
    complexity: fc.constantFrom<unknown[]>(['SIMPLE'], ['SIMPLE', 'NONE'], 'COMPLEX', null, [null]),
    minRating: simple,
    verified: fc.constantFrom<unknown[]>(true, null, 'true'),
    updatedSince: fc.constantFrom<unknown[]>('2026-03-01T12:00:00Z', '2026-02-30T12:00:00Z', null, undefined),
    nothing: fc.constant(1),
  },
  { requiredKeys: [] },
);
const order = fc.record(
  { field: fc.constantFrom<unknown[]>('NAME', 'RATING', 'NONE', null), direction: text, ['__proto__']: simple },
  { requiredKeys: [] },
);

const given = fc.record(
  {
    query: fc.oneof(text, simple),
    filter: fc.oneof({ weight: 4, arbitrary: filter }, { weight: 1, arbitrary: list }),
    orderBy: fc.oneof({ weight: 4, arbitrary: order }, { weight: 1, arbitrary: list }),
    first: fc.oneof(fc.integer({ min: 0, max: 3 }), simple),
    last: fc.oneof({ weight: 8, arbitrary: fc.nat(9) }, { weight: 1, arbitrary: simple }),
    collapse: fc.oneof({ weight: 8, arbitrary: fc.boolean() }, { weight: 1, arbitrary: simple }),
    require: list,
    since: fc.constantFrom<unknown[]>('2026-03-01T12:00:00Z', null, undefined, 'once'),
    ids: fc.oneof({ weight: 4, arbitrary: fc.array(fc.constantFrom<unknown[]>('a', 'b', 7)) }, list),
    window: fc.constantFrom<unknown[]>('ONE_MINUTE', 'FIVE_MINUTES', 'NONE', null),
    unasked: simple,
  },
  { requiredKeys: [] },
);

/** In order and with what has no value, both of which resolvers see. */
function describeValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value === undefined ? 'undefined' : value;
  if (Array.isArray(value)) return value.map(describeValue);
  return Object.entries(value).map(([name, member]) => [name, describeValue(member)]);
}

describe('variables that are right', () => {
  it('are coerced as graphql-js does it, and the others are left to it', () => {
    // Each by itself: of all at once nearly always one is wrong.
    const each = (operation.variableDefinitions ?? []).map((definition) => {
      const variableDefinitions = [definition];
      return { variableDefinitions, coerce: planVariables(schema, { ...operation, variableDefinitions }) };
    });
    let right = 0;
    let wrong = 0;
    const compare = (values: Record<string, unknown>) => {
      for (const { variableDefinitions, coerce } of each) {
        const { coerced } = getVariableValues(schema, variableDefinitions, values);
        const planned = coerce(values);
        if (planned !== null) expect(describeValue(planned)).toEqual(describeValue(coerced));
        if (planned !== null) right += 1;
        else if (coerced === undefined) wrong += 1;
      }
    };
    fc.assert(fc.property(given, compare), { numRuns: 1000 });
    expect(right).toBeGreaterThan(1000);
    expect(wrong).toBeGreaterThan(1000);
  });

  it.each([
    { last: 1 },
    { last: 1, query: null, orderBy: { field: 'NAME' }, collapse: true },
    { last: 1, filter: { categories: ['a'], updatedSince: '2026-03-01T12:00:00Z' }, ids: ['a', 7] },
  ])('are read by the plan: %j', (values) => {
    expect(planVariables(schema, operation)(values)).not.toBeNull();
  });

  it('have no names but their own', () => {
    const coerced = planVariables(schema, operation)({ last: 1 });
    expect(coerced !== null && 'constructor' in coerced).toBe(false);
  });
});

describe('arguments by plan', () => {
  const root = schema.getQueryType()?.getFields() ?? {};
  const fields = operation.selectionSet.selections.flatMap((node) => {
    const definition = node.kind === 'Field' ? root[node.name.value] : undefined;
    return node.kind === 'Field' && definition !== undefined ? [{ node, definition }] : [];
  });
  const bare = parse('{ search { partial } nodes { id } search(first: "many") { partial } }').definitions.flatMap(
    (definition) => (definition.kind === 'OperationDefinition' ? definition.selectionSet.selections : []),
  );
  for (const node of bare) {
    const definition = node.kind === 'Field' ? root[node.name.value] : undefined;
    if (node.kind === 'Field' && definition !== undefined) fields.push({ node, definition });
  }

  function attempt(read: () => unknown): unknown {
    try {
      return describeValue(read());
    } catch (error) {
      return error instanceof Error ? error.message : error;
    }
  }

  it('are those of graphql-js, and so are its complaints', () => {
    expect(fields).toHaveLength(9);
    const compare = (values: Record<string, unknown>) => {
      for (const { definition, node } of fields) {
        const plan = planArguments(definition, node);
        const reference = attempt(() => getArgumentValues(definition, node, values));
        expect(attempt(() => readArguments(plan, values))).toEqual(reference);
      }
    };
    // Whatever the variables are: some are there without a value, and some are null where they must not be.
    fc.assert(fc.property(given, compare), { numRuns: 500 });
  });

  it('are read once where no variable has a say', () => {
    const fixed = fields.map(({ definition, node }) => planArguments(definition, node).fixed !== null);
    expect(fixed).toEqual([false, false, true, false, false, false, true, false, false]);
  });
});
