/**
 * Executes a plan. Step for step what graphql-js does in `execution/execute.js`, down to how often it waits, since that
 * decides in which order errors are found; but nothing that the plan knows is found out again, and the path of a value is
 * made where something stands below it, or when it fails.
 */
import { type ExecutionResult, GraphQLError, getArgumentValues, locatedError } from 'graphql';
import type { RequestContext } from '../../resolvers/context.ts';
import {
  type FieldPlan,
  type OperationPlan,
  planRootFields,
  planSubfields,
  readRuntimeType,
  type ValuePlan,
} from './execution-plan.ts';

interface Path {
  readonly prev: Path | undefined;
  readonly key: string | number;
}

/** One execution. */
interface Run {
  readonly plan: OperationPlan;
  readonly variables: Record<string, unknown>;
  readonly context: RequestContext;
  readonly errors: GraphQLError[];
  /** Where errors were noted: what fails below such a place is not told, as its value is null already. */
  readonly failed: Set<Path | undefined>;
}

type Answered = Record<string, unknown>;

const NO_ARGUMENTS = Object.freeze({});

/**
 * Executes the plan's operation, a query. `variables` are coerced, and those of directives the ones the plan was begun
 * with. Never throws and never rejects: what goes wrong is in `errors`.
 */
export function executePlan(
  plan: OperationPlan,
  variables: Record<string, unknown>,
  context: RequestContext,
): ExecutionResult | Promise<ExecutionResult> {
  const run: Run = { plan, variables, context, errors: [], failed: new Set() };
  try {
    const data = executeFields(run, planRootFields(plan), undefined, undefined);
    if (!isPromise(data)) return endRun(run, data);
    return data.then(
      (settled) => endRun(run, settled),
      (error: GraphQLError) => failRun(run, error),
    );
  } catch (error) {
    return failRun(run, error as GraphQLError);
  }
}

function endRun({ errors }: Run, data: Answered | null): ExecutionResult {
  return errors.length === 0 ? { data } : { errors, data };
}

function failRun(run: Run, error: GraphQLError): ExecutionResult {
  noteError(run, error, undefined);
  return endRun(run, null);
}

function noteError({ errors, failed }: Run, error: GraphQLError, path: Path | undefined): void {
  if (failed.has(undefined)) return;
  for (let place = path; place !== undefined; place = place.prev) if (failed.has(place)) return;
  failed.add(path);
  errors.push(error);
}

function executeFields(
  run: Run,
  fields: readonly FieldPlan[],
  source: unknown,
  parentPath: Path | undefined,
): Answered | Promise<Answered> {
  const answered: Answered = {};
  let waits = false;
  try {
    for (const field of fields) {
      const value = executeField(run, field, source, parentPath);
      answered[field.responseName] = value;
      if (isPromise(value)) waits = true;
    }
  } catch (error) {
    // The others are waited for, so that a rejection of theirs is not left alone.
    if (waits) {
      return settleFields(answered).finally(() => {
        throw error;
      });
    }
    throw error;
  }
  return waits ? settleFields(answered) : answered;
}

function settleFields(answered: Answered): Promise<Answered> {
  return Promise.all(Object.values(answered)).then((values) => {
    const settled: Answered = {};
    let index = 0;
    for (const name of Object.keys(answered)) {
      settled[name] = values[index];
      index += 1;
    }
    return settled;
  });
}

function executeField(run: Run, field: FieldPlan, source: unknown, parentPath: Path | undefined): unknown {
  const path = field.value.kind === 'LEAF' ? undefined : { prev: parentPath, key: field.responseName };
  try {
    const result = resolveField(run, field, source);
    const completed = isPromise(result)
      ? result.then((resolved) => completeValue(run, field, field.value, path, resolved))
      : completeValue(run, field, field.value, path, result);
    if (!isPromise(completed)) return completed;
    return completed.then(undefined, (error) =>
      failValue(run, field, field.value, path ?? { prev: parentPath, key: field.responseName }, error),
    );
  } catch (error) {
    return failValue(run, field, field.value, path ?? { prev: parentPath, key: field.responseName }, error);
  }
}

function resolveField(run: Run, { definition, fieldNodes, resolve }: FieldPlan, source: unknown): unknown {
  const [node] = fieldNodes;
  const given =
    definition.args.length === 0 || node === undefined
      ? NO_ARGUMENTS
      : getArgumentValues(definition, node, run.variables);
  // Of what stands in graphql-js's fourth argument the resolvers of this schema know nothing (src/server/planned-documents.ts sees to it).
  if (resolve !== undefined) return (resolve as FieldFunction)(source, given, run.context);
  if ((typeof source !== 'object' || source === null) && typeof source !== 'function') return undefined;
  const object = source as Record<string, unknown>;
  const member = object[definition.name];
  return typeof member === 'function' ? (object as Methods)[definition.name]?.(given, run.context) : member;
}

type FieldFunction = (source: unknown, given: unknown, context: RequestContext) => unknown;
type Methods = Record<string, (given: unknown, context: RequestContext) => unknown>;

/** Null where null may stand; else the error goes on to what stands above. */
function failValue(run: Run, { fieldNodes }: FieldPlan, value: ValuePlan, path: Path, raw: unknown): null {
  const error = locatedError(raw, fieldNodes, listKeys(path));
  if (value.nonNull) throw error;
  noteError(run, error, path);
  return null;
}

function listKeys(path: Path): (string | number)[] {
  const keys: (string | number)[] = [];
  for (let place: Path | undefined = path; place !== undefined; place = place.prev) keys.push(place.key);
  return keys.reverse();
}

/** `path` is of need for what is no leaf. */
function completeValue(run: Run, field: FieldPlan, value: ValuePlan, path: Path | undefined, result: unknown): unknown {
  if (result === null || result === undefined) {
    if (value.nonNull) throw nullError(field);
    return null;
  }
  if (result instanceof Error) throw result;
  switch (value.kind) {
    case 'LEAF':
      return completeLeaf(field, value, result);
    case 'LIST':
      return completeList(run, field, value, path, result);
    case 'OBJECT':
      value.fields ??= planSubfields(run.plan, value.type, field.fieldNodes);
      return executeFields(run, value.fields, result, path);
    case 'ABSTRACT':
      return completeAbstract(run, field, value, path, result);
  }
}

function nullError({ parentType, definition }: FieldPlan): Error {
  return new Error(`Cannot return null for non-nullable field ${parentType.name}.${definition.name}.`);
}

function completeLeaf(
  { parentType, definition }: FieldPlan,
  { type }: Extract<ValuePlan, { kind: 'LEAF' }>,
  result: unknown,
): unknown {
  const serialized = type.serialize(result);
  if (serialized !== null && serialized !== undefined) return serialized;
  throw new Error(`The type ${type.name} must not write a value of ${parentType.name}.${definition.name} as null.`);
}

function completeList(
  run: Run,
  field: FieldPlan,
  { item }: Extract<ValuePlan, { kind: 'LIST' }>,
  path: Path | undefined,
  result: unknown,
): unknown {
  if (!isIterable(result)) {
    const coordinate = `${field.parentType.name}.${field.definition.name}`;
    throw new GraphQLError(`Expected Iterable, but did not find one for field "${coordinate}".`);
  }
  let waits = false;
  const items: unknown[] = [];
  let index = 0;
  for (const each of result) {
    const completed = completeItem(run, field, item, path, index, each);
    if (isPromise(completed)) waits = true;
    items.push(completed);
    index += 1;
  }
  return waits ? Promise.all(items) : items;
}

function completeItem(
  run: Run,
  field: FieldPlan,
  item: ValuePlan,
  listPath: Path | undefined,
  index: number,
  each: unknown,
): unknown {
  const path = item.kind === 'LEAF' ? undefined : { prev: listPath, key: index };
  try {
    const completed = isPromise(each)
      ? each.then((resolved) => completeValue(run, field, item, path, resolved))
      : completeValue(run, field, item, path, each);
    if (!isPromise(completed)) return completed;
    return completed.then(undefined, (error) =>
      failValue(run, field, item, path ?? { prev: listPath, key: index }, error),
    );
  } catch (error) {
    return failValue(run, field, item, path ?? { prev: listPath, key: index }, error);
  }
}

function completeAbstract(
  run: Run,
  field: FieldPlan,
  value: Extract<ValuePlan, { kind: 'ABSTRACT' }>,
  path: Path | undefined,
  result: unknown,
): unknown {
  const typeName = (value.type.resolveType as TypeFunction | undefined)?.(result, run.context);
  const complete = (name: unknown) => {
    const type = readRuntimeType(run.plan, value.type, name, field);
    let fields = value.fields.get(type);
    if (fields === undefined) {
      fields = planSubfields(run.plan, type, field.fieldNodes);
      value.fields.set(type, fields);
    }
    return executeFields(run, fields, result, path);
  };
  return isPromise(typeName) ? typeName.then(complete) : complete(typeName);
}

type TypeFunction = (value: unknown, context: RequestContext) => unknown;

/** A string is none here, as in graphql-js. */
function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
    ? typeof value[Symbol.iterator] === 'function'
    : false;
}

function isPromise<T>(value: T | PromiseLike<unknown>): value is Promise<Awaited<T>> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
