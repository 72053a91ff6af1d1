/**
 * The values of an operation's variables (GraphQL specification, October 2021, section 6.1.2), by what is known of their
 * types since the operation was planned. It knows values that are right; of all others graphql-js says what is wrong.
 */
import {
  type GraphQLInputType,
  type GraphQLLeafType,
  type GraphQLSchema,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  type OperationDefinitionNode,
  typeFromAST,
  valueFromAST,
} from 'graphql';

type Coerced = Record<string, unknown>;

/** Stands for a value that is not right. */
const WRONG = Symbol('wrong');

type InputPlan =
  | { readonly kind: 'LEAF'; readonly nonNull: boolean; readonly type: GraphQLLeafType }
  | { readonly kind: 'LIST'; readonly nonNull: boolean; readonly item: InputPlan }
  | { readonly kind: 'OBJECT'; readonly nonNull: boolean; readonly members: ReadonlyMap<string, MemberPlan> };

interface MemberPlan {
  /** What stands for a value that is not given; undefined: nothing. */
  readonly otherwise: unknown;
  readonly value: InputPlan;
}

interface VariablePlan extends MemberPlan {
  readonly name: string;
}

/** No names but those that are put there, and fast all the same: an object without a prototype is a dictionary. */
const NO_NAMES: object = Object.freeze(Object.create(null));

/**
 * Makes what reads the variables of an operation as a request has them. It gives null where something is wrong with them,
 * or may be.
 */
export function planVariables(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
): (given: Readonly<Record<string, unknown>>) => Coerced | null {
  const plans: VariablePlan[] = [];
  for (const { variable, type: typeNode, defaultValue } of variableDefinitions) {
    const type = typeFromAST(schema, typeNode);
    const value = isInputType(type) ? planInput(type, []) : null;
    if (!isInputType(type) || value === null) return () => null;
    plans.push({ name: variable.name.value, otherwise: defaultValue && valueFromAST(defaultValue, type), value });
  }
  return (given) => coerceVariables(plans, given);
}

/** null for what this plan leaves alone: input objects of which one member is given, or that hold themselves. */
function planInput(type: GraphQLInputType, within: readonly GraphQLInputType[]): InputPlan | null {
  if (isNonNullType(type)) {
    const value = planInput(type.ofType, within);
    return value && { ...value, nonNull: true };
  }
  if (isListType(type)) {
    const item = planInput(type.ofType, within);
    return item && { kind: 'LIST', nonNull: false, item };
  }
  if (!isInputObjectType(type)) return { kind: 'LEAF', nonNull: false, type };
  if (type.isOneOf || within.includes(type)) return null;
  const members = new Map<string, MemberPlan>();
  for (const { name, type: memberType, defaultValue } of Object.values(type.getFields())) {
    const value = planInput(memberType, [...within, type]);
    if (value === null) return null;
    members.set(name, { otherwise: defaultValue, value });
  }
  return { kind: 'OBJECT', nonNull: false, members };
}

function coerceVariables(plans: readonly VariablePlan[], given: Readonly<Record<string, unknown>>): Coerced | null {
  const coerced: Coerced = Object.create(NO_NAMES);
  for (const { name, otherwise, value } of plans) {
    const read = Object.hasOwn(given, name) ? coerce(given[name], value) : readAbsent(otherwise, value);
    if (read === WRONG) return null;
    if (read !== undefined) coerced[name] = read;
  }
  return coerced;
}

/** undefined: there is none. */
function readAbsent(otherwise: unknown, { nonNull }: InputPlan): unknown {
  return otherwise === undefined && nonNull ? WRONG : otherwise;
}

function coerce(given: unknown, plan: InputPlan): unknown {
  if (given === null || given === undefined) return plan.nonNull ? WRONG : null;
  switch (plan.kind) {
    case 'LEAF':
      return coerceLeaf(given, plan.type);
    case 'LIST':
      return coerceList(given, plan.item);
    case 'OBJECT':
      return coerceObject(given, plan.members);
  }
}

function coerceLeaf(given: unknown, type: GraphQLLeafType): unknown {
  try {
    const value: unknown = type.parseValue(given);
    return value === undefined ? WRONG : value;
  } catch {
    return WRONG;
  }
}

function coerceList(given: unknown, item: InputPlan): unknown {
  // One value that stands for a list of one is right, but rare.
  if (!Array.isArray(given)) return WRONG;
  const values: unknown[] = [];
  for (const each of given) {
    const value = coerce(each, item);
    if (value === WRONG) return WRONG;
    values.push(value);
  }
  return values;
}

function coerceObject(given: unknown, members: ReadonlyMap<string, MemberPlan>): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return WRONG;
  const object = given as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(object)) if (!members.has(name)) return WRONG;
  const coerced: Coerced = {};
  for (const [name, { otherwise, value }] of members) {
    const member = object[name];
    const read = member === undefined ? readAbsent(otherwise, value) : coerce(member, value);
    if (read === WRONG) return WRONG;
    if (read !== undefined) coerced[name] = read;
  }
  return coerced;
}
