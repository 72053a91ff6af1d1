/**
 * The arguments of a field, as far as the document alone tells them (GraphQL specification, October 2021, section 6.4.1).
 * Whatever is not plainly in order is left to graphql-js, which says what is wrong.
 */
import {
  type FieldNode,
  type GraphQLField,
  type GraphQLInputType,
  getArgumentValues,
  isNonNullType,
  Kind,
  type ValueNode,
  valueFromAST,
} from 'graphql';

type FieldDefinition = GraphQLField<unknown, unknown>;

/** One argument: what the document says, or the variable that does, and what stands for a variable that is not given. */
interface PlannedArgument {
  readonly name: string;
  readonly variable: string | null;
  readonly constant: unknown;
  readonly isRequired: boolean;
}

export interface ArgumentPlan {
  readonly definition: FieldDefinition;
  readonly node: FieldNode;
  /** null: graphql-js reads them each time. */
  readonly planned: readonly PlannedArgument[] | null;
  /** The same for every execution; null where variables have a say, or where they are at fault. */
  readonly fixed: Readonly<Record<string, unknown>> | null;
}

const NO_ARGUMENTS = Object.freeze({});

/** Plans the arguments of a field. Never throws. */
export function planArguments(definition: FieldDefinition, node: FieldNode): ArgumentPlan {
  if (definition.args.length === 0) return { definition, node, planned: [], fixed: NO_ARGUMENTS };
  const planned: PlannedArgument[] = [];
  for (const { name, type, defaultValue } of definition.args) {
    const given = node.arguments?.find((argument) => argument.name.value === name)?.value;
    const argument = planArgument(name, type, defaultValue, given);
    if (argument === null) return { definition, node, planned: null, fixed: null };
    planned.push(argument);
  }
  const isFixed = planned.every(({ variable }) => variable === null);
  return { definition, node, planned, fixed: isFixed ? Object.freeze(collect(planned, {})) : null };
}

/** null: a variable within a list or an object, or a value that is none of the type. */
function planArgument(
  name: string,
  type: GraphQLInputType,
  defaultValue: unknown,
  given: ValueNode | undefined,
): PlannedArgument | null {
  const isRequired = isNonNullType(type);
  if (given === undefined) return { name, variable: null, constant: defaultValue, isRequired };
  if (given.kind === Kind.VARIABLE) return { name, variable: given.name.value, constant: defaultValue, isRequired };
  // Without variables there is no value for what holds one.
  const constant = valueFromAST(given, type);
  return constant === undefined || holdsVariable(given) ? null : { name, variable: null, constant, isRequired };
}

function holdsVariable(value: ValueNode): boolean {
  if (value.kind === Kind.LIST) return value.values.some(holdsVariable);
  if (value.kind === Kind.OBJECT) return value.fields.some((field) => holdsVariable(field.value));
  return value.kind === Kind.VARIABLE;
}

/** The arguments, with coerced `variables`. Throws as graphql-js does. */
export function readArguments(plan: ArgumentPlan, variables: Readonly<Record<string, unknown>>): unknown {
  if (plan.fixed !== null) return plan.fixed;
  const collected = plan.planned && collect(plan.planned, variables);
  return collected ?? getArgumentValues(plan.definition, plan.node, variables);
}

/** null where one is missing, or null, that must not be. */
function collect(
  planned: readonly PlannedArgument[],
  variables: Readonly<Record<string, unknown>>,
): Record<string, unknown> | null {
  const collected: Record<string, unknown> = {};
  for (const { name, variable, constant, isRequired } of planned) {
    const isGiven = variable !== null && Object.hasOwn(variables, variable);
    const value = isGiven ? variables[variable] : constant;
    if (isRequired && (value === null || value === undefined)) return null;
    // A variable that is there without a value is at fault.
    if (value !== undefined) collected[name] = value;
    else if (isGiven) return null;
  }
  return collected;
}
