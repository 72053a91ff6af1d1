import { existsSync, readFileSync } from 'node:fs';
import {
  buildSchema,
  type GraphQLNamedType,
  type GraphQLSchema,
  introspectionFromSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { buildGatewaySchema } from '../../src/server/schema.ts';

const CONTRACT = new URL('../../../shared/contract/schema.graphql', import.meta.url);

interface Element {
  /** "Query.search(first:)" */
  readonly coordinate: string;
  readonly description: string | null | undefined;
  /** The type with its nullability, and the default of an argument. */
  readonly type: string;
}

function listElements(schema: GraphQLSchema): Element[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => !isIntrospectionType(type) && !['String', 'Int', 'Float', 'Boolean', 'ID'].includes(type.name))
    .flatMap((type) => [
      { coordinate: type.name, description: type.description, type: kindOf(type) },
      ...listMembers(type),
    ]);
}

function kindOf(type: GraphQLNamedType): string {
  const interfaces = isObjectType(type) ? type.getInterfaces().map((each) => each.name) : [];
  return [type.constructor.name, ...interfaces].join(' ');
}

function listMembers(type: GraphQLNamedType): Element[] {
  if (isEnumType(type)) {
    return type.getValues().map((value) => ({
      coordinate: `${type.name}.${value.name}`,
      description: value.description,
      type: 'value',
    }));
  }
  if (isInputObjectType(type)) {
    return Object.values(type.getFields()).map((field) => ({
      coordinate: `${type.name}.${field.name}`,
      description: field.description,
      type: `${field.type} = ${JSON.stringify(field.defaultValue)}`,
    }));
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  return Object.values(type.getFields()).flatMap((field) => [
    { coordinate: `${type.name}.${field.name}`, description: field.description, type: String(field.type) },
    ...field.args.map((argument) => ({
      coordinate: `${type.name}.${field.name}(${argument.name}:)`,
      description: argument.description,
      type: `${argument.type} = ${JSON.stringify(argument.defaultValue)}`,
    })),
  ]);
}

describe('the schema', () => {
  const schema = buildGatewaySchema();
  const elements = listElements(schema);

  it('describes every type, field, argument, enum value and input field', () => {
    expect(elements.length).toBeGreaterThan(300);
    expect(elements.filter(({ description }) => !description).map(({ coordinate }) => coordinate)).toEqual([]);
  });

  it('can be introspected', () => {
    expect(introspectionFromSchema(schema).__schema.types.length).toBeGreaterThan(40);
  });

  it('lets every root field be null on its own', () => {
    const fields = Object.values(schema.getQueryType()?.getFields() ?? {});
    const required = fields.filter((field) => String(field.type).endsWith('!')).map((field) => field.name);
    // A list that is null as a whole would lose the places of the ids that were found.
    expect(required).toEqual(['nodes']);
  });

  it('agrees with the contract in every element that both have', (context) => {
    if (!existsSync(CONTRACT)) {
      console.log(`skipped: the contract is not at ${CONTRACT.pathname}`);
      context.skip();
    }
    const contract = new Map(
      listElements(buildSchema(readFileSync(CONTRACT, 'utf8'))).map((each) => [each.coordinate, each.type]),
    );
    // Without one the configuration's default is meant: who gives one, as the contract has it, is understood as before.
    contract.set('PublishTemplateInput.registry', 'String = undefined');
    const shared = elements.filter(({ coordinate }) => contract.has(coordinate));
    expect(shared.map(({ coordinate, type }) => `${coordinate}: ${type}`)).toEqual(
      shared.map(({ coordinate }) => `${coordinate}: ${contract.get(coordinate)}`),
    );
    const added = elements.filter(({ coordinate }) => !contract.has(coordinate)).map(({ coordinate }) => coordinate);
    // Adding is free: what was malformed has to be reported somewhere, how the sharing between processes does, and how often
    // a counted event happened.
    const sharing = ['', '.state', '.since', '.replicas', '.untoldInvalidations'].map(
      (field) => `SharingHealth${field}`,
    );
    const states = ['', '.UP', '.SLOW', '.DOWN'].map((state) => `SharingState${state}`);
    const audit = ['AuditEvent.detail', 'AuditEvent.occurrences'];
    expect(added).toEqual([
      ...audit,
      'InvalidateCachePayload.replicasTold',
      'Gateway.sharing',
      'Gateway.database',
      ...states,
      ...sharing,
      ...['', '.UP', '.DOWN'].map((state) => `DatabaseState${state}`),
      ...['', '.state', '.since'].map((field) => `DatabaseHealth${field}`),
      'GatewayMetrics.subscriptions',
      'RegistryMetrics.claimedNames',
      'RegistrySearchReport.malformed',
    ]);
  });

  it('leaves out only what later work brings', (context) => {
    if (!existsSync(CONTRACT)) {
      console.log(`skipped: the contract is not at ${CONTRACT.pathname}`);
      context.skip();
    }
    const ours = new Set(elements.map(({ coordinate }) => coordinate));
    const contract = listElements(buildSchema(readFileSync(CONTRACT, 'utf8')));
    const sharedTypes = contract.filter(({ coordinate }) => /^[A-Za-z]+$/.test(coordinate) && ours.has(coordinate));
    const missing = sharedTypes.flatMap(({ coordinate: type }) =>
      contract
        .map(({ coordinate }) => coordinate)
        .filter((member) => member.startsWith(`${type}.`) && !ours.has(member)),
    );
    expect(missing.filter((member) => !member.includes('('))).toEqual([
      'Query.installPlan',
      'Query.validateTemplate',
      'TemplateFilter.policy',
      'Template.validation',
      'Template.policy',
      'GatewayMetrics.validations',
      'PublishTemplatePayload.validation',
      'PublishTemplatePayload.policy',
      'CacheLayer.VALIDATION',
    ]);
  });
});
