/**
 * What an execution finds out about a document anew for every object, found out once: which fields are selected of which
 * type, their definitions and how their values are completed (GraphQL specification, October 2021, sections 6.3 and 6.4).
 * A plan grows as values ask for it, so that it never holds more than what was executed.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLFieldResolver,
  GraphQLIncludeDirective,
  type GraphQLInterfaceType,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  type GraphQLUnionType,
  getDirectiveValues,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  TypeNameMetaFieldDef,
  typeFromAST,
} from 'graphql';
import type { RequestContext } from '../../resolvers/context.ts';
import { type ArgumentPlan, planArguments } from './planned-arguments.ts';
import { findWritten } from './planned-leaves.ts';

type FieldDefinition = ReturnType<GraphQLObjectType['getFields']>[string];
type Resolver = GraphQLFieldResolver<unknown, RequestContext>;

export interface FieldPlan {
  readonly responseName: string;
  readonly parentType: GraphQLObjectType;
  readonly definition: FieldDefinition;
  readonly fieldNodes: readonly FieldNode[];
  readonly name: string;
  readonly given: ArgumentPlan;
  /** Of `given`, where no variable has a say. */
  readonly fixed: ArgumentPlan['fixed'];
  /** undefined: the member of that name, called if it is a function. */
  readonly resolve: Resolver | undefined;
  readonly value: ValuePlan;
  /** The same where it is a leaf: what most fields are. */
  readonly leaf: LeafPlan | null;
}

/** What is selected of one object type. */
export interface SelectionPlan {
  readonly fields: readonly FieldPlan[];
  /** All names of the answer, in order. Copies of it are filled in: an object that grows name by name is moved as it does. */
  readonly blank: Readonly<Record<string, unknown>>;
}

/** How a value is completed. `nonNull` says whether null is an error where the value stands. */
export type ValuePlan =
  | LeafPlan
  | { readonly kind: 'LIST'; readonly nonNull: boolean; readonly item: ValuePlan }
  | {
      readonly kind: 'OBJECT';
      readonly nonNull: boolean;
      readonly type: GraphQLObjectType;
      selection: SelectionPlan | null;
    }
  | {
      readonly kind: 'ABSTRACT';
      readonly nonNull: boolean;
      readonly type: GraphQLInterfaceType | GraphQLUnionType;
      readonly selections: Map<GraphQLObjectType, SelectionPlan>;
    };

export interface LeafPlan {
  readonly kind: 'LEAF';
  readonly nonNull: boolean;
  readonly type: GraphQLLeafType;
  readonly asIs: ReturnType<typeof findWritten>;
}

/** A plan of one operation, for one set of values of the variables that @skip and @include look at. */
export interface OperationPlan {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The operation's root object. */
  readonly root: Extract<ValuePlan, { kind: 'OBJECT' }>;
  readonly rootSelections: SelectionSetNode;
  /** How many fields have been planned. */
  size: number;
}

/**
 * Begins a plan. Of `variables`, coerced, only those of directives are looked at.
 */
export function beginPlan(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  rootType: GraphQLObjectType,
  variables: Readonly<Record<string, unknown>>,
): OperationPlan {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  return {
    schema,
    fragments,
    variables,
    root: { kind: 'OBJECT', nonNull: false, type: rootType, selection: null },
    rootSelections: operation.selectionSet,
    size: 0,
  };
}

/** The fields at the operation's root, in the order of the answer. */
export function planRootFields(plan: OperationPlan): SelectionPlan {
  plan.root.selection ??= planFields(plan, plan.root.type, [plan.rootSelections]);
  return plan.root.selection;
}

/** The fields that `fieldNodes`, which answer under one name, select of an object of this type. */
export function planSubfields(
  plan: OperationPlan,
  type: GraphQLObjectType,
  fieldNodes: readonly FieldNode[],
): SelectionPlan {
  return planFields(
    plan,
    type,
    fieldNodes.flatMap(({ selectionSet }) => selectionSet ?? []),
  );
}

function planFields(
  plan: OperationPlan,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
): SelectionPlan {
  const nodes = new Map<string, FieldNode[]>();
  const spread = new Set<string>();
  for (const selectionSet of selectionSets) collectFields(plan, type, selectionSet, nodes, spread);
  const fields: FieldPlan[] = [];
  for (const [responseName, fieldNodes] of nodes) {
    const field = planField(type, responseName, fieldNodes);
    if (field !== null) fields.push(field);
  }
  plan.size += fields.length;
  return { fields, blank: Object.fromEntries(fields.map(({ responseName }) => [responseName, null])) };
}

/** GraphQL specification, October 2021, section 6.3.2, CollectFields. */
function collectFields(
  plan: OperationPlan,
  type: GraphQLObjectType,
  { selections }: SelectionSetNode,
  nodes: Map<string, FieldNode[]>,
  spread: Set<string>,
): void {
  for (const selection of selections) {
    switch (selection.kind) {
      case Kind.FIELD: {
        if (!isIncluded(plan, selection)) continue;
        const responseName = (selection.alias ?? selection.name).value;
        const known = nodes.get(responseName);
        if (known === undefined) nodes.set(responseName, [selection]);
        else known.push(selection);
        continue;
      }
      case Kind.INLINE_FRAGMENT:
        if (!isIncluded(plan, selection) || !appliesTo(plan, selection, type)) continue;
        collectFields(plan, type, selection.selectionSet, nodes, spread);
        continue;
      case Kind.FRAGMENT_SPREAD: {
        const name = selection.name.value;
        if (spread.has(name) || !isIncluded(plan, selection)) continue;
        spread.add(name);
        const fragment = plan.fragments.get(name);
        if (fragment === undefined || !appliesTo(plan, fragment, type)) continue;
        collectFields(plan, type, fragment.selectionSet, nodes, spread);
      }
    }
  }
}

function isIncluded({ variables }: OperationPlan, node: SelectionNode): boolean {
  if (node.directives === undefined || node.directives.length === 0) return true;
  if (getDirectiveValues(GraphQLSkipDirective, node, variables)?.if === true) return false;
  return getDirectiveValues(GraphQLIncludeDirective, node, variables)?.if !== false;
}

function appliesTo(
  { schema }: OperationPlan,
  { typeCondition }: Pick<FragmentDefinitionNode, 'typeCondition'> | { readonly typeCondition?: undefined },
  type: GraphQLObjectType,
): boolean {
  if (typeCondition === undefined) return true;
  const condition = typeFromAST(schema, typeCondition);
  return condition === type || (isAbstractType(condition) && schema.isSubType(condition, type));
}

/** null for a field that the type does not have, which validation refuses. */
function planField(
  parentType: GraphQLObjectType,
  responseName: string,
  fieldNodes: readonly FieldNode[],
): FieldPlan | null {
  const [node] = fieldNodes;
  if (node === undefined) return null;
  const name = node.name.value;
  const isTypeName = name === TypeNameMetaFieldDef.name;
  const definition = isTypeName ? TypeNameMetaFieldDef : parentType.getFields()[name];
  if (definition === undefined) return null;
  const resolve = isTypeName ? () => parentType.name : definition.resolve;
  const given = planArguments(definition, node);
  const value = planValue(definition.type, false);
  const leaf = value.kind === 'LEAF' ? value : null;
  return { responseName, parentType, definition, fieldNodes, name, given, fixed: given.fixed, resolve, value, leaf };
}

function planValue(type: GraphQLOutputType, nonNull: boolean): ValuePlan {
  if (isNonNullType(type)) return planValue(type.ofType, true);
  if (isListType(type)) return { kind: 'LIST', nonNull, item: planValue(type.ofType, false) };
  if (isLeafType(type)) return { kind: 'LEAF', nonNull, type, asIs: findWritten(type) };
  if (isAbstractType(type)) return { kind: 'ABSTRACT', nonNull, type, selections: new Map() };
  return { kind: 'OBJECT', nonNull, type, selection: null };
}

/** The object type that a value of an abstract type has, of the name its resolver gave. Throws as graphql-js does. */
export function readRuntimeType(
  { schema }: OperationPlan,
  type: GraphQLInterfaceType | GraphQLUnionType,
  name: unknown,
  { fieldNodes: nodes }: FieldPlan,
): GraphQLObjectType {
  const found = typeof name === 'string' ? schema.getType(name) : undefined;
  for (const possible of schema.getPossibleTypes(type)) if (possible === found) return possible;
  throw new GraphQLError(`A value of the type "${type.name}" must have one of its object types.`, { nodes });
}
