import {
  execute,
  type GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  parse,
  subscribe,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { encodeTemplateId } from '../../resolvers/node-id.ts';
import { buildGatewaySchema } from '../../src/server/schema.ts';
import { createFixtureContext } from '../server/fixture-view.ts';

/** How deep everything is selected: a search, its rows, what hangs on a row. */
const DEPTH = 4;

const ROOT_ARGUMENTS: Record<string, string> = {
  node: `(id: "${encodeTemplateId('official', 'org/base', '1.2.0')}")`,
  nodes: `(ids: ["${encodeTemplateId('official', 'org/base', '1.2.0')}"])`,
  template: '(name: "org/base")',
  registry: '(name: "official")',
  invalidateCache: '(input: {})',
  publishTemplate: '(input: { document: "{\\"name\\":\\"a\\",\\"version\\":\\"1\\"}" })',
  reportInstallation: '(input: { registry: "official", template: "org/base", version: "1.2.0", outcome: SUCCEEDED })',
  resetCircuit: '(input: { registry: "official" })',
};

/** Selects every field of a type, as deep as asked. */
function selectAll(type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (!isObjectType(named) && !isInterfaceType(named)) return '';
  const fields = Object.values(named.getFields()).flatMap((field) => selectField(named.name, field, depth));
  return ` { __typename ${fields.join(' ')} }`;
}

function selectField(typeName: string, field: GraphQLField<unknown, unknown>, depth: number): string[] {
  if (isCompositeType(getNamedType(field.type)) && depth === 0) return [];
  const given = typeName === 'Query' || typeName === 'Mutation' ? (ROOT_ARGUMENTS[field.name] ?? '') : '';
  return [`${field.name}${given}${selectAll(field.type, depth - 1)}`];
}

const FAILURE = 'made to fail';

const schema = buildGatewaySchema();

interface RunResult {
  /** Of a subscription: the data of all its events. */
  readonly data?: unknown;
  readonly errors?: readonly GraphQLError[] | undefined;
}

async function run(source: string): Promise<RunResult> {
  const args = { schema, document: parse(source), contextValue: createFixtureContext() };
  if (!source.startsWith('subscription')) return execute(args);
  const events = await subscribe(args);
  if (!(Symbol.asyncIterator in events)) return events;
  const data: unknown[] = [];
  const errors: GraphQLError[] = [];
  for await (const event of events) {
    data.push(event.data);
    errors.push(...(event.errors ?? []));
  }
  return { data, errors };
}

/** Runs with one field made to fail, which is put right again afterwards. */
async function runWithout(failing: string, sources: readonly string[]) {
  const [typeName = '', fieldName = ''] = failing.split('.');
  const field = (schema.getType(typeName) as GraphQLObjectType).getFields()[fieldName];
  if (field === undefined) throw new Error(`there is no field ${failing}`);
  const { resolve } = field;
  field.resolve = () => {
    throw new Error(FAILURE);
  };
  try {
    return await Promise.all(sources.map(run));
  } finally {
    if (resolve) field.resolve = resolve;
    else delete field.resolve;
  }
}

/** Sets every occurrence of the field to null: what the answer must be when that field fails. */
function withoutField(value: unknown, typeName: string, fieldName: string): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutField(each, typeName, fieldName));
  if (typeof value !== 'object' || value === null) return value;
  const own = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(own).map(([name, member]) => [
      name,
      name === fieldName && own.__typename === typeName ? null : withoutField(member, typeName, fieldName),
    ]),
  );
}

describe('a field that fails', async () => {
  const query = schema.getQueryType();
  if (!query) throw new Error('there must be a query type');
  const operations = [query, schema.getMutationType()].flatMap((root) =>
    Object.values(root?.getFields() ?? {}).map(
      (field) => `${root?.name.toLowerCase()} { __typename ${selectField(root?.name ?? '', field, DEPTH)} }`,
    ),
  );
  // A subscription has one field, and this one has an end.
  const progress = schema.getSubscriptionType()?.getFields().searchProgress;
  if (!progress) throw new Error('there must be a field searchProgress');
  operations.push(`subscription { ${selectField('Subscription', progress, DEPTH)} }`);
  const baselines = await Promise.all(operations.map(run));

  const nullable = Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .filter((type) => !type.name.startsWith('__'))
    .flatMap((type) =>
      Object.values(type.getFields())
        .filter((field) => !isNonNullType(field.type))
        .map((field) => `${type.name}.${field.name}`),
    );

  it('stands in an answer that is complete without it', () => {
    expect(baselines.flatMap((baseline) => baseline.errors?.map((error) => error.message) ?? [])).toEqual([]);
    expect(nullable.length).toBeGreaterThan(70);
  });

  it.each(nullable)('%s nulls itself and nothing beside it', async (failing) => {
    const [typeName = '', fieldName = ''] = failing.split('.');
    const answers = await runWithout(failing, operations);
    let seen = 0;
    for (const [index, answer] of answers.entries()) {
      const expected = withoutField(JSON.parse(JSON.stringify(baselines[index]?.data)), typeName, fieldName);
      expect(JSON.parse(JSON.stringify(answer.data))).toEqual(expected);
      for (const error of answer.errors ?? []) expect(error.path?.at(-1)).toBe(fieldName);
      seen += answer.errors?.length ?? 0;
    }
    expect(seen, `${failing} must be selected somewhere`).toBeGreaterThan(0);
  });
});
