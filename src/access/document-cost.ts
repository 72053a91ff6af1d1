/**
 * An upper bound of what an operation can cause: objects in its answer, plus calls to registries. It is computed from the
 * validated document and its variables, before anything is executed. It holds for registries that keep the protocol: what one makes
 * necessary that ignores filters or cannot sort has a bound of its own (`search.scan`, `search.drain`), and serves others as
 * well. Lists whose length nobody can know before count as ten entries.
 */
import {
  type ConstValueNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  typeFromAST,
  visit,
} from 'graphql';
import { QueryTooComplex } from './errors.ts';

/** Entries assumed of a list whose length only its registry knows: dependencies, badges, findings, versions, categories. */
const ASSUMED_ENTRIES = 10;
/** Of one registry, one for each kind of operation. */
const CIRCUITS = 4;
/** What reading the whole schema costs, in the same measure. */
const INTROSPECTION_COST = 100;
/** Rows of a page when none is asked for (the contract's schema). */
const DEFAULT_PAGE_SIZE = 20;

/** Fields whose arguments say how large a page is. */
const PAGED_FIELDS: ReadonlySet<string> = new Set(['Query.search', 'Query.auditEvents', 'Subscription.searchProgress']);

/** The bounds that the resolvers hold for `alternatives`, and for ids and popular templates. */
const MAX_ALTERNATIVES = 20;
const MAX_LIST_LENGTH = 100;

interface CostInput {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  /** As the client sent them: a page size that is no number is refused before it is used, and counts as the default. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** How many registries the caller may see: each may be called for one question. */
  readonly registryCount: number;
  /** The largest page. Whoever asks for more is told so by the resolver, which is the better answer. */
  readonly maxPageSize: number;
  /** Rows that are read of a registry at a time. */
  readonly window: number;
}

/** What a field multiplies its selection by, and how many calls it makes itself. */
interface FieldCost {
  readonly entries: number;
  readonly calls: number;
}

/** The arguments that the cost depends on, whatever their field; nothing else of the variables is looked at. */
const COST_ARGUMENTS = ['first', 'last', 'ids', 'registry'] as const;
type CostArgument = (typeof COST_ARGUMENTS)[number];

/** Costs remembered of one operation: one for each page size, say. */
const REMEMBERED_COSTS = 50;

/** Gives the cost, as `measureCost`. Throws QueryTooComplex when the operation could cost more than `maxCost`. */
export function checkCost(input: CostInput & { readonly maxCost: number }): number {
  const cost = measureCost(input);
  if (cost <= input.maxCost) return cost;
  const stated = cost < Number.MAX_SAFE_INTEGER ? String(cost) : 'a number beyond count';
  throw new QueryTooComplex(
    `An operation must cost ${input.maxCost} objects and registry calls at most; this one could cost ${stated}. ` +
      'Ask for fewer entries, or for less of each.',
  );
}

/** Makes a meter of one operation, which measures again only where something differs that the cost depends on. */
export function createCostMeter(
  operationOf: Pick<CostInput, 'schema' | 'document' | 'operation' | 'window'>,
): (given: Pick<CostInput, 'variables' | 'registryCount' | 'maxPageSize'>) => number {
  const names = listCostVariables(operationOf.document);
  const measured = new Map<string, number>();
  return (given) => {
    let key = `${given.registryCount} ${given.maxPageSize}`;
    for (const name of names) key += ` ${describeForCost(given.variables[name])}`;
    const known = measured.get(key);
    if (known !== undefined) return known;
    const cost = measureCost({ ...operationOf, ...given });
    if (measured.size >= REMEMBERED_COSTS) measured.clear();
    measured.set(key, cost);
    return cost;
  };
}

function listCostVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    Argument({ name, value }) {
      if (value.kind === Kind.VARIABLE && COST_ARGUMENTS.some((argument) => argument === name.value))
        names.add(value.name.value);
    },
  });
  return [...names];
}

/** As much of a value as the cost depends on. */
function describeForCost(value: unknown): string {
  if (typeof value === 'number' || value === null) return String(value);
  return Array.isArray(value) ? `[${value.length}]` : typeof value;
}

/** Objects plus registry calls, at most. */
export function measureCost(input: CostInput): number {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of input.document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  // A fragment's cost depends on the page that it is spread in and on nothing else, so that each is measured once a page
  // size. There are no more of these than root fields.
  const measured = new Map<string, number>();

  function measureSet(selectionSet: SelectionSetNode, type: GraphQLCompositeType, pageSize: number): number {
    // GraphQL collects a fragment once in one selection, however often it is spread there.
    const spread = new Set<string>();
    let cost = 0;
    for (const selection of selectionSet.selections) {
      if (selection.kind === Kind.FIELD) cost += measureField(selection, type, pageSize);
      else if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition && typeFromAST(input.schema, selection.typeCondition);
        cost += measureSet(selection.selectionSet, isCompositeType(condition) ? condition : type, pageSize);
      } else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value);
        cost += measureFragment(selection.name.value, pageSize);
      }
    }
    return cost;
  }

  function measureFragment(name: string, pageSize: number): number {
    const key = `${name} ${pageSize}`;
    const known = measured.get(key);
    if (known !== undefined) return known;
    // Counts as nothing while it is being measured, so that a circle, which validation refuses, ends here too.
    measured.set(key, 0);
    const fragment = fragments.get(name);
    const type = fragment && typeFromAST(input.schema, fragment.typeCondition);
    const cost =
      fragment !== undefined && isCompositeType(type) ? measureSet(fragment.selectionSet, type, pageSize) : 0;
    measured.set(key, cost);
    return cost;
  }

  function measureField(field: FieldNode, type: GraphQLCompositeType, outerPageSize: number): number {
    const name = field.name.value;
    if (name.startsWith('__')) return name === '__typename' ? 0 : INTROSPECTION_COST;
    const definition = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
    const inner = definition && getNamedType(definition.type);
    const coordinate = `${type.name}.${name}`;
    const pageSize = PAGED_FIELDS.has(coordinate) ? readPageSize(field, input) : outerPageSize;
    const { entries, calls } = fieldCost(coordinate, field, pageSize, input);
    if (field.selectionSet === undefined || !isCompositeType(inner)) return calls;
    return calls + entries * (1 + measureSet(field.selectionSet, inner, pageSize));
  }

  const root = input.schema.getRootType(input.operation.operation);
  return root ? measureSet(input.operation.selectionSet, root, 0) : 0;
}

function fieldCost(coordinate: string, field: FieldNode, pageSize: number, input: CostInput): FieldCost {
  const { registryCount } = input;
  switch (coordinate) {
    case 'Query.search':
    case 'Subscription.searchProgress':
      return { entries: 1, calls: countSearchCalls(pageSize, input) };
    case 'TemplateConnection.edges':
    case 'TemplateConnection.nodes':
    case 'AuditEventConnection.edges':
    case 'AuditEventConnection.nodes':
      return { entries: pageSize, calls: 0 };
    case 'SearchProgress.nodes':
      // As many as a page from each registry.
      return { entries: registryCount * pageSize, calls: 0 };
    case 'Query.node':
      return { entries: 1, calls: 1 };
    case 'Query.nodes': {
      const ids = readArgument(field, 'ids', input);
      const count = Array.isArray(ids) ? Math.min(ids.length, MAX_LIST_LENGTH) : 1;
      return { entries: count, calls: count };
    }
    case 'Query.template':
      // Once more for the names that may do instead, when a registry is silent.
      return {
        entries: 1,
        calls: registryCount + (readArgument(field, 'registry', input) == null ? registryCount : 1),
      };
    case 'Mutation.reportInstallation':
      return { entries: 1, calls: 2 };
    case 'Mutation.publishTemplate':
      // The document, and look-ups before and behind it.
      return { entries: 1, calls: 4 };
    case 'Query.categories':
      return { entries: ASSUMED_ENTRIES, calls: registryCount };
    case 'SearchProgress.report':
    case 'Subscription.registryHealth':
    case 'Query.registries':
    case 'Viewer.registries':
    case 'TemplateCategory.registries':
    case 'TemplateConnection.registries':
      return { entries: registryCount, calls: 0 };
    case 'Template.sources':
      return { entries: registryCount, calls: registryCount };
    case 'Template.sourcesComplete':
    case 'Template.parent':
    case 'TemplateDependency.template':
      return { entries: 1, calls: registryCount };
    case 'Template.versions':
      return { entries: ASSUMED_ENTRIES, calls: 1 };
    case 'Template.content':
      // The document, and the entry whose digest it must have.
      return { entries: 1, calls: 2 };
    case 'Template.alternatives': {
      const entries = readCount(field, 'first', 3, MAX_ALTERNATIVES, input);
      // A search for one more, since the template itself may be among them.
      return { entries, calls: countSearchCalls(entries + 1, input) };
    }
    case 'GatewayMetrics.popularTemplates':
      return { entries: readCount(field, 'first', 10, MAX_LIST_LENGTH, input), calls: 0 };
    case 'RegistryHealth.circuits':
      return { entries: CIRCUITS, calls: 0 };
    case 'GatewayMetrics.installations':
    case 'GatewayMetrics.errors':
    case 'Template.dependencies':
    case 'Template.badges':
    case 'SecurityScan.findings':
    case 'TemplateConnection.facets':
    case 'SearchFacet.values':
      return { entries: ASSUMED_ENTRIES, calls: 0 };
    default:
      return { entries: 1, calls: 0 };
  }
}

/**
 * The windows of a page (contract, 5.2: R + min(R, n) + ⌈n/W⌉), and a question to each registry for the names that collapse has to
 * know of. One more may go out with the windows: pages hardly ever read all the second windows that are charged, which makes up for it.
 */
function countSearchCalls(pageSize: number, { registryCount, window }: CostInput): number {
  return registryCount + Math.min(registryCount, pageSize) + Math.ceil(pageSize / window) + registryCount;
}

function readPageSize(field: FieldNode, input: CostInput): number {
  const last = readCount(field, 'last', DEFAULT_PAGE_SIZE, input.maxPageSize, input);
  return readCount(field, 'first', last, input.maxPageSize, input);
}

/** Within the bounds that the resolver holds: what it refuses costs nothing, and must not make up for another field. */
function readCount(field: FieldNode, name: CostArgument, otherwise: number, most: number, input: CostInput): number {
  const value = readArgument(field, name, input);
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(most, Math.max(1, value)) : otherwise;
}

/** The argument's value as far as the cost needs it: numbers, lists by their length, everything else as something given. */
function readArgument(field: FieldNode, name: CostArgument, { variables, operation }: CostInput): unknown {
  const value = field.arguments?.find((argument) => argument.name.value === name)?.value;
  switch (value?.kind) {
    case undefined:
    case Kind.NULL:
      return null;
    case Kind.INT:
      return Number(value.value);
    case Kind.LIST:
      return value.values;
    case Kind.VARIABLE: {
      const given = variables[value.name.value];
      if (given !== undefined) return given;
      const defined = operation.variableDefinitions?.find(({ variable }) => variable.name.value === value.name.value);
      return readDefault(defined?.defaultValue);
    }
    default:
      return value;
  }
}

function readDefault(value: ConstValueNode | undefined): unknown {
  switch (value?.kind) {
    case Kind.INT:
      return Number(value.value);
    case Kind.LIST:
      return value.values;
    default:
      return null;
  }
}
