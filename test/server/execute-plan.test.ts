import fc from 'fast-check';
import {
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  getOperationAST,
  getVariableValues,
  isInterfaceType,
  isLeafType,
  isObjectType,
  parse,
  validate,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { encodeRegistryId, encodeTemplateId } from '../../resolvers/node-id.ts';
import { BadUserInput } from '../../src/domain/errors.ts';
import { executePlan } from '../../src/server/execute-plan.ts';
import { beginPlan, type OperationPlan } from '../../src/server/execution-plan.ts';
import { buildGatewaySchema } from '../../src/server/schema.ts';
import { createFixtureContext } from './fixture-view.ts';

const RUNS = 400;

const schema = buildGatewaySchema();

const IDS = [
  encodeTemplateId('official', 'org/base', '1.2.0'),
  encodeRegistryId('community'),
  encodeRegistryId('none'),
];

/** Everything that can be told of a result: the order of its members and errors too, and what each error was made of. */
function describeResult({ data, errors }: ExecutionResult): string {
  const told = errors?.map((error) => [error, error.originalError?.constructor.name, error.originalError?.message]);
  return JSON.stringify({ errors: told, data }, null, 1);
}

/** By graphql-js and by plan, the plan twice: while it grows, and grown. */
async function executeBoth(source: string, variables: Record<string, unknown> = {}) {
  const document = parse(source);
  expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
  const operation = getOperationAST(document);
  const rootType = schema.getQueryType();
  if (!operation || !rootType) throw new Error('one query must be given');
  const reference = await execute({
    schema,
    document,
    variableValues: variables,
    contextValue: createFixtureContext(),
  });
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  if (coerced === undefined) throw new Error('the variables must be right');
  const plan: OperationPlan = beginPlan(schema, document, operation, rootType, coerced);
  const planned = await executePlan(plan, coerced, createFixtureContext());
  const again = await executePlan(plan, coerced, createFixtureContext());
  return { reference, planned, again };
}

async function expectEqual(source: string, variables?: Record<string, unknown>) {
  const { reference, planned, again } = await executeBoth(source, variables);
  expect(describeResult(planned)).toBe(describeResult(reference));
  expect(describeResult(again)).toBe(describeResult(reference));
  return reference;
}

const ROOT_ARGUMENTS: Record<string, string> = {
  node: `(id: "${IDS[0]}")`,
  nodes: `(ids: ${JSON.stringify(IDS)})`,
  template: '(name: "org/base")',
  registry: '(name: "official")',
};

function selectAll(type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (!isObjectType(named) && !isInterfaceType(named)) return '';
  const fields = Object.values(named.getFields())
    .filter((field) => depth > 0 || isLeafType(getNamedType(field.type)))
    .map((field) => `${field.name}${argumentsOf(named, field.name)}${selectAll(field.type, depth - 1)}`);
  const concrete = isInterfaceType(named)
    ? schema.getPossibleTypes(named).map((each) => `... on ${each.name}${selectAll(each, depth - 1)}`)
    : [];
  return ` { __typename ${[...fields, ...concrete].join(' ')} }`;
}

function argumentsOf(type: GraphQLObjectType | GraphQLInterfaceType, name: string): string {
  return type.name === 'Query' ? (ROOT_ARGUMENTS[name] ?? '') : '';
}

const WHOLE = Object.values(schema.getQueryType()?.getFields() ?? {}).map(
  (field) => `{ ${field.name}${ROOT_ARGUMENTS[field.name] ?? ''}${selectAll(field.type, 3)} }`,
);

/** Handled here too, for where nobody looks at the entries. */
function rejectLater(message: string): Promise<never> {
  const rejection = Promise.reject(new Error(message));
  rejection.catch(() => undefined);
  return rejection;
}

/** Ways for a field to go wrong, early and late. */
const FAULTS: Record<string, () => unknown> = {
  throws: () => {
    throw new BadUserInput('somewhere', 'It was wrong.');
  },
  'throws no error': () => {
    throw 'text';
  },
  'is an error': () => new Error('as a value'),
  'has extensions': () => new GraphQLError('told', { extensions: { code: 'OWN' } }),
  rejects: () => Promise.reject(new Error('soon')),
  'rejects late': async () => {
    for (let turn = 0; turn < 9; turn += 1) await null;
    throw new Error('late');
  },
  'is null': () => null,
  'is null late': async () => null,
  'cannot be written': () => ({ no: 'scalar' }),
  'is no list': () => 'text',
  'holds nothing': () => [null],
  'holds what cannot be written': () => [{ no: 'scalar' }, new Error('as an entry')],
  'holds what rejects': () => [rejectLater('one entry'), rejectLater('another entry')],
};

/** The shortest way to each type, as text around a selection of it. */
function findWays(): Map<string, (selection: string) => string> {
  const ways = new Map([['Query', (selection: string) => `{ a: __typename ${selection} viewer { roles } }`]]);
  for (const [typeName, around] of ways) {
    const type = schema.getType(typeName);
    if (!isObjectType(type)) continue;
    for (const { name, type: inner } of Object.values(type.getFields())) {
      const target = getNamedType(inner).name;
      if (ways.has(target) || isLeafType(getNamedType(inner))) continue;
      ways.set(target, (selection) => around(`${name}${argumentsOf(type, name)} { a: __typename ${selection} }`));
    }
  }
  return ways;
}

const WAYS = findWays();

/** Every field that a query reaches. */
const COORDINATES = Object.values(schema.getTypeMap())
  .filter((type) => isObjectType(type))
  .filter((type) => WAYS.has(type.name))
  .flatMap((type) => Object.keys(type.getFields()).map((name) => `${type.name}.${name}`));

/** A short document in which the field is reached. */
function documentWith(coordinate: string): string {
  const { type, field } = findField(coordinate);
  const selection = `${field.name}${argumentsOf(type, field.name)}${selectAll(field.type, 0)} b: __typename`;
  return WAYS.get(type.name)?.(selection) ?? '';
}

function findField(coordinate: string) {
  const [typeName = '', name = ''] = coordinate.split('.');
  const type = schema.getType(typeName);
  const field = isObjectType(type) ? type.getFields()[name] : undefined;
  if (!isObjectType(type) || field === undefined) throw new Error(`there is no field ${coordinate}`);
  return { type, field };
}

/** With some fields made to fail, which are put right again afterwards. */
async function withFaults(faults: Readonly<Record<string, string>>, act: () => Promise<unknown>) {
  const owners = Object.entries(faults).map(([coordinate, fault]) => {
    const { field } = findField(coordinate);
    const { resolve } = field;
    const failing = FAULTS[fault];
    if (failing !== undefined) field.resolve = failing;
    return { field, resolve };
  });
  try {
    await act();
  } finally {
    for (const { field, resolve } of owners) {
      if (resolve === undefined) delete field.resolve;
      else field.resolve = resolve;
    }
  }
}

describe('an execution by plan answers as graphql-js does', () => {
  it.each(WHOLE)('with all that hangs on a root field: %#', async (source) => {
    expect((await expectEqual(source)).errors).toBeUndefined();
  });

  it.each([
    '{ a: __typename b: viewer { __typename c: __typename roles } }',
    'query { search(first: 2) { nodes { name } nodes { version name } ...F ...F } } fragment F on TemplateConnection { nodes { id } edges { cursor } }',
    'query ($a: Boolean!, $b: Boolean! = false) { search { partial @skip(if: $a) nodes @include(if: $b) { name } ... @include(if: $a) { tookMs } ...F @skip(if: $b) } } fragment F on TemplateConnection { totalCount }',
    'query ($n: Int, $ids: [ID!]!) { nodes(ids: $ids) { id ... on Template { alternatives(first: 2) { name } } ... on Node { again: id } ...R } gateway { metrics { popularTemplates(first: $n) { name } } } } fragment R on Registry { name health { status } }',
    '{ search(first: 0) { nodes { name } } template(name: "") { name } registry(name: "none") { name } viewer { roles } }',
    '{ template(name: "org/base") { alternatives(first: 99) { name } name } }',
    '{ node(id: "wrong") { id } nodes(ids: ["wrong", "WyJSIiwiY29tbXVuaXR5Il0"]) { id } }',
  ])('to %s', async (source) => {
    for (const a of [true, false]) {
      const all = { a, b: !a, n: a ? 2 : null, ids: IDS };
      const known = Object.fromEntries(Object.entries(all).filter(([name]) => source.includes(`$${name}:`)));
      await expectEqual(source, known);
    }
  });

  it('where a condition is null in spite of its default', async () => {
    const source =
      'query ($c: Boolean = true) { registries { name health { status @include(if: $c) } } viewer { roles } search { partial ... @skip(if: $c) { tookMs } } }';
    const { errors } = await expectEqual(source, { c: null });
    expect(errors?.length).toBeGreaterThan(0);
    await expectEqual(`query ($c: Boolean = true) { viewer @skip(if: $c) { roles } }`, { c: null });
  });

  it.each(COORDINATES)('when %s fails, in every way', async (coordinate) => {
    for (const fault of Object.keys(FAULTS)) {
      await withFaults({ [coordinate]: fault }, () => expectEqual(documentWith(coordinate)));
    }
  });
});

describe('an execution by plan, over random documents and faults', () => {
  it('answers as graphql-js does', { timeout: 120_000 }, async () => {
    let answered = 0;
    let failed = 0;
    await fc.assert(
      fc.asyncProperty(fc.gen(), async (draw) => {
        const source = drawDocument(draw);
        fc.pre(validate(schema, parse(source)).length === 0);
        const variables = drawVariables(draw, source);
        const faults: Record<string, string> = {};
        for (let count = draw(fc.nat, { max: 4 }); count > 0; count -= 1) {
          const mentioned = COORDINATES.filter((each) => source.includes(each.split('.')[1] ?? ''));
          const coordinate = draw(fc.constantFrom<string[]>, ...mentioned);
          faults[coordinate] = draw(fc.constantFrom<string[]>, ...Object.keys(FAULTS));
        }
        await withFaults(faults, async () => {
          const { errors } = await expectEqual(source, variables);
          if (errors === undefined) answered += 1;
          else failed += 1;
        });
      }),
      // A failure is told as it was found: to make it smaller would take minutes.
      { numRuns: RUNS, endOnFailure: true },
    );
    // Both kinds have been seen.
    expect(answered).toBeGreaterThan(20);
    expect(failed).toBeGreaterThan(20);
  });
});

type Draw = fc.GeneratorValue;

function drawDocument(draw: Draw): string {
  const fragments = ['Template', 'Registry', 'TemplateConnection', 'Node'].map(
    (name) => `fragment F${name} on ${name} ${drawSelection(draw, name, 1, false)}`,
  );
  const body = drawSelection(draw, 'Query', draw(fc.integer, { min: 2, max: 5 }), true);
  const used = (text: string) => fragments.filter((fragment) => text.includes(`...${fragment.split(' ')[1]}`));
  const text = [body, ...used(body)].join(' ');
  const definitions = Object.entries({ a: 'Boolean!', b: 'Boolean!', c: 'Boolean = true', n: 'Int! = 3' })
    .filter(([name]) => text.includes(`$${name})`))
    .map(([name, type]) => `$${name}: ${type}`);
  return `query Q${definitions.length === 0 ? '' : `(${definitions.join(', ')})`} ${text}`;
}

function drawVariables(draw: Draw, source: string): Record<string, unknown> {
  const values: Record<string, unknown> = {
    a: draw(fc.boolean),
    b: draw(fc.boolean),
    c: draw(fc.constantFrom<(boolean | null)[]>, true, false, null),
    n: draw(fc.integer, { min: -1, max: 4 }),
  };
  return Object.fromEntries(Object.entries(values).filter(([name]) => source.includes(`$${name}:`)));
}

function drawDirective(draw: Draw): string {
  const condition = draw(fc.constantFrom<string[]>, 'true', 'false', '$a', '$b', '$c');
  const kinds = ['', '', '', `@skip(if: ${condition})`, `@include(if: ${condition})`];
  return draw(fc.constantFrom<string[]>, ...kinds);
}

function drawSelection(draw: Draw, typeName: string, depth: number, mayRefer: boolean): string {
  const type = schema.getType(typeName);
  if (!isObjectType(type) && !isInterfaceType(type)) throw new Error(`${typeName} must have fields`);
  const fields = Object.values(type.getFields()).filter((field) => depth > 0 || isLeafType(getNamedType(field.type)));
  const parts = ['__typename'];
  for (let count = draw(fc.integer, { min: 1, max: 6 }); count > 0; count -= 1) {
    const kind = draw(fc.constantFrom<string[]>, 'field', 'field', 'field', 'inline', 'spread');
    const directive = drawDirective(draw);
    const conditions = [typeName, ...concreteTypes(typeName), ...interfacesOf(typeName)];
    const condition = draw(fc.constantFrom<string[]>, ...conditions);
    if (kind === 'inline') {
      parts.push(`... on ${condition} ${directive} ${drawSelection(draw, condition, depth - 1, mayRefer)}`);
    } else if (kind === 'spread' && mayRefer && /^(Template|Registry|TemplateConnection|Node)$/.test(condition)) {
      parts.push(`...F${condition} ${directive}`);
    } else if (fields.length > 0) {
      const field = fields[draw(fc.nat, { max: fields.length - 1 })];
      if (field === undefined) continue;
      const alias = draw(fc.constantFrom<string[]>, '', '', `x_${field.name}: `);
      const inner = getNamedType(field.type);
      const given = field.name === 'alternatives' ? '(first: $n)' : argumentsOf(type, field.name);
      const sub = isLeafType(inner) ? '' : drawSelection(draw, inner.name, depth - 1, mayRefer);
      parts.push(`${alias}${field.name}${given} ${directive} ${sub}`);
    }
  }
  return `{ ${parts.join(' ')} }`;
}

function concreteTypes(typeName: string): string[] {
  const type = schema.getType(typeName);
  return isInterfaceType(type) ? schema.getPossibleTypes(type).map(({ name }) => name) : [];
}

function interfacesOf(typeName: string): string[] {
  const type = schema.getType(typeName);
  return isObjectType(type) ? type.getInterfaces().map(({ name }) => name) : [];
}
