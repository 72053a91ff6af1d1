/**
 * Documents that Apollo has found valid already, by their text. What Apollo does around an execution costs more than the
 * execution: for a document that comes again it would repeat what is known of it. So its operations are executed here, by
 * plan, and give the bytes that Apollo would; whatever is not plainly an answer with data is left to Apollo: the first
 * sight of a document, a wrong operation name, wrong variables, an operation that costs too much, introspection.
 */
import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLObjectType,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  isInterfaceType,
  isObjectType,
  isUnionType,
  type OperationDefinitionNode,
  OperationTypeNode,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { RequestContext } from '../../resolvers/context.ts';
import { createCostMeter } from '../access/document-cost.ts';
import { executePlan } from './execute-plan.ts';
import { beginPlan, type OperationPlan } from './execution-plan.ts';
import type { GraphqlParameters } from './graphql-request.ts';
import {
  type CountOperation,
  formatOperationError,
  logOperationError,
  NO_ERRORS,
  toCounted,
} from './operation-errors.ts';
import { planVariables } from './planned-variables.ts';

/**
 * Bounds of what is kept, together about 40 MB of plans at the very most: a program has a few dozen documents, a planned
 * field takes about 400 bytes, and a page's document has fifty.
 */
const MAX_DOCUMENTS = 200;
const MAX_DOCUMENT_CHARACTERS = 20_000;
const MAX_PLANNED_FIELDS = 500;

export interface PlannedDocumentsOptions {
  readonly schema: GraphQLSchema;
  /** Bound of what one operation may cost (src/access/document-cost.ts). */
  readonly maxCost: number;
  /** Rows that are read of a registry at a time. */
  readonly window: number;
  readonly log: Logger;
  /** Told at the end of each operation, with the codes of its errors. */
  readonly countOperation: CountOperation;
}

export interface PlannedDocuments {
  /** Takes a document that is valid for the schema. */
  learn(text: string, document: DocumentNode): void;
  /** The body of the answer, to be sent with status 200; null where Apollo has to be asked. Rejects with RateLimited alone. */
  execute(parameters: GraphqlParameters, context: RequestContext): Promise<string | null>;
}

interface PlannedDocument {
  readonly document: DocumentNode;
  /** By the operation's name as the request has it; the empty name where it has none. */
  readonly operations: Map<string, PlannedOperation>;
}

interface PlannedOperation {
  readonly operation: OperationDefinitionNode;
  readonly measureCost: ReturnType<typeof createCostMeter>;
  readonly coerceVariables: ReturnType<typeof planVariables>;
  /** Variables that @skip and @include look at. */
  readonly conditions: readonly string[];
  /** By the values of those. */
  readonly plans: Map<string, OperationPlan>;
}

/** Makes the store, empty. Throws when a resolver of the schema needs what only graphql-js gives it. */
export function createPlannedDocuments(options: PlannedDocumentsOptions): PlannedDocuments {
  const { schema, maxCost, window } = options;
  const rootType = schema.getQueryType();
  if (!rootType) throw new TypeError('The schema must have a query type.');
  checkResolvers(schema);
  const known = new LRUCache<string, PlannedDocument>({ max: MAX_DOCUMENTS });
  // Documents that are left to Apollo for good.
  const unplanned = new WeakSet<DocumentNode>();

  function begin({ query, operationName, variables }: GraphqlParameters, context: RequestContext) {
    const found = known.get(query);
    const of = found && findOperation(found, operationName, schema, window);
    if (found === undefined || !of) return null;
    const given = variables ?? {};
    const registryCount = context.view.registries.length;
    const cost = of.measureCost({ variables: given, registryCount, maxPageSize: context.maxPageSize });
    if (cost > maxCost) return null;
    const coerced = of.coerceVariables(given) ?? coerceAnew(schema, of.operation, given);
    if (coerced === undefined) return null;
    return { plan: choosePlan(of, coerced, found.document), coerced, found, cost };
  }

  function choosePlan(
    { operation, conditions, plans }: PlannedOperation,
    coerced: Record<string, unknown>,
    document: DocumentNode,
  ): OperationPlan {
    const key = conditions.length === 0 ? '' : conditions.map((name) => String(coerced[name])).join();
    let plan = plans.get(key);
    if (plan === undefined) {
      plan = beginPlan(schema, document, operation, rootType as GraphQLObjectType, coerced);
      plans.set(key, plan);
    }
    return plan;
  }

  return {
    learn(text, document) {
      if (text.length > MAX_DOCUMENT_CHARACTERS || unplanned.has(document) || known.has(text)) return;
      if (canPlan(document)) known.set(text, { document, operations: new Map() });
      else unplanned.add(document);
    },
    async execute(parameters, context) {
      const begun = begin(parameters, context);
      if (begun === null) return null;
      const { plan, coerced, found, cost } = begun;
      context.notes.cost = cost;
      context.chargeCost(cost);
      const { size } = plan;
      const result = await executePlan(plan, coerced, context);
      context.notes.isWhole = result.errors === undefined;
      if (plan.size > size && countPlannedFields(found) > MAX_PLANNED_FIELDS) {
        unplanned.add(found.document);
        known.delete(parameters.query);
      }
      return writeBody(result, context.requestId, options);
    },
  };
}

/** The operation that a request means; null where it means none, or one that is no query. */
function findOperation(
  { document, operations }: PlannedDocument,
  name: string | undefined,
  schema: GraphQLSchema,
  window: number,
): PlannedOperation | null {
  const known = operations.get(name ?? '');
  if (known !== undefined) return known;
  const operation = getOperationAST(document, name);
  if (operation?.operation !== OperationTypeNode.QUERY) return null;
  const found = {
    operation,
    measureCost: createCostMeter({ schema, document, operation, window }),
    coerceVariables: planVariables(schema, operation),
    conditions: listConditions(document),
    plans: new Map(),
  };
  operations.set(name ?? '', found);
  return found;
}

/** undefined where they are wrong. One fault is enough here: it is for Apollo to tell of it, and of the others. */
function coerceAnew(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> | undefined {
  return getVariableValues(schema, variableDefinitions, given, { maxErrors: 1 }).coerced;
}

function listConditions(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    Directive(directive) {
      visit(directive, { Variable: (variable) => void names.add(variable.name.value) });
    },
  });
  return [...names];
}

function countPlannedFields({ operations }: PlannedDocument): number {
  let count = 0;
  for (const { plans } of operations.values()) for (const plan of plans.values()) count += plan.size;
  return count;
}

/** Introspection, which is rare, and a name that objects treat in a way of their own, are left to graphql-js. */
function canPlan(document: DocumentNode): boolean {
  let can = true;
  visit(document, {
    Field({ name, alias }) {
      if (name.value === '__schema' || name.value === '__type' || alias?.value === '__proto__') can = false;
    },
  });
  return can;
}

/** A plan's execution gives resolvers three arguments: the fourth, graphql-js's own notes, none of ours has ever read. */
function checkResolvers(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    const takesInfo = 'resolveType' in type && (type.resolveType?.length ?? 3) > 2;
    if (takesInfo || (isObjectType(type) && type.isTypeOf) || isUnionType(type)) refuseResolver(type.name);
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const { name, resolve } of Object.values(type.getFields())) {
      if (resolve !== undefined && resolve.length > 3) refuseResolver(`${type.name}.${name}`);
    }
  }
}

function refuseResolver(coordinate: string): never {
  throw new TypeError(`The resolver of ${coordinate} must do without graphql-js's fourth argument.`);
}

function writeBody(
  { data, errors }: ExecutionResult,
  requestId: string,
  { log, countOperation }: PlannedDocumentsOptions,
): string {
  if (errors === undefined) {
    countOperation(NO_ERRORS);
    return `${JSON.stringify({ data })}\n`;
  }
  for (const error of errors) logOperationError(log, requestId, error);
  const told = errors.map((error) => {
    const code = error.extensions.code ?? 'INTERNAL_SERVER_ERROR';
    return formatOperationError(error, code, requestId, error.toJSON());
  });
  countOperation(toCounted(told));
  return `${JSON.stringify({ errors: told, data })}\n`;
}
