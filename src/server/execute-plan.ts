/**
 * Executes a plan. Step for step what graphql-js does in `execution/execute.js`, down to how often it waits, since that
 * decides in which order errors are found; but nothing that the plan knows is found out again, and the path of a value is
 * made where something stands below it, or when it fails.
 */
import { type ExecutionResult, GraphQLError, locatedError } from 'graphql';
import type { RequestContext } from '../../resolvers/context.ts';
import {
  type FieldPlan,
  type LeafPlan,
  type OperationPlan,
  planRootFields,
  planSubfields,
  readRuntimeType,
  type SelectionPlan,
  type ValuePlan,
} from './execution-plan.ts';
import { readArguments } from './planned-arguments.ts';
import { isWrittenAsIs } from './planned-leaves.ts';

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
    if (!(data instanceof Promise)) return endRun(run, data);
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
  { fields, blank }: SelectionPlan,
  source: unknown,
  parentPath: Path | undefined,
): Answered | Promise<Answered> {
  // Not by a spread: V8 copies so in a third of the time where objects of many selections come here.
  const answered: Answered = Object.assign({}, blank);
  let waits = false;
  try {
    for (const field of fields) {
      const value =
        field.leaf === null
          ? executeField(run, field, source, parentPath)
          : executeLeaf(run, field, field.leaf, source, parentPath);
      answered[field.responseName] = value;
      if (value instanceof Promise) waits = true;
    }
  } catch (error) {
    // The others are waited for, so that a rejection of theirs is not left alone.
    if (waits) return rejectSettled(answered, error);
    throw error;
  }
  if (!waits) return answered;
  // Nothing stands beside the only field of the operation whose errors could come before or after its own.
  return parentPath === undefined && fields.length === 1 ? settleField(answered) : settleFields(answered);
}

async function settleField(answered: Answered): Promise<Answered> {
  for (const name of Object.keys(answered)) answered[name] = await answered[name];
  return answered;
}

function rejectSettled(answered: Answered, error: unknown): Promise<never> {
  return settleFields(answered).finally(() => {
    throw error;
  }) as Promise<never>;
}

function settleFields(answered: Answered): Promise<Answered> {
  return Promise.all(Object.values(answered)).then((values) => {
    let index = 0;
    for (const name of Object.keys(answered)) {
      answered[name] = values[index];
      index += 1;
    }
    return answered;
  });
}

/** No closure stands here, nor where items are completed: were there one, each call of the function would cost its scope. */
function executeField(run: Run, field: FieldPlan, source: unknown, parentPath: Path | undefined): unknown {
  const path = { prev: parentPath, key: field.responseName };
  try {
    const result = resolveField(run, field, source);
    const completed = isPromise(result)
      ? completeLater(run, field, field.value, path, result)
      : completeValue(run, field, field.value, path, result);
    return completed instanceof Promise ? failLater(run, field, field.value, path, completed) : completed;
  } catch (error) {
    return failValue(run, field, field.value, path, error);
  }
}

function executeLeaf(
  run: Run,
  field: FieldPlan,
  value: LeafPlan,
  source: unknown,
  parentPath: Path | undefined,
): unknown {
  try {
    const result = resolveField(run, field, source);
    if (!isPromise(result)) return completeLeafValue(field, value, result);
    const path = { prev: parentPath, key: field.responseName };
    return failLater(run, field, value, path, completeLater(run, field, value, path, result));
  } catch (error) {
    return failValue(run, field, value, { prev: parentPath, key: field.responseName }, error);
  }
}

function completeLater(
  run: Run,
  field: FieldPlan,
  value: ValuePlan,
  path: Path,
  result: PromiseLike<unknown>,
): Promise<unknown> {
  return toPromise(result).then((resolved) => completeValue(run, field, value, path, resolved));
}

function failLater(
  run: Run,
  field: FieldPlan,
  value: ValuePlan,
  path: Path,
  completed: Promise<unknown>,
): Promise<unknown> {
  return completed.then(undefined, (error) => failValue(run, field, value, path, error));
}

function resolveField(run: Run, { name, given, fixed, resolve }: FieldPlan, source: unknown): unknown {
  const read = fixed ?? readArguments(given, run.variables);
  // Of what stands in graphql-js's fourth argument the resolvers of this schema know nothing (src/server/planned-documents.ts sees to it).
  if (resolve !== undefined) return (resolve as FieldFunction)(source, read, run.context);
  if ((typeof source !== 'object' || source === null) && typeof source !== 'function') return undefined;
  const object = source as Record<string, unknown>;
  const member = object[name];
  return typeof member === 'function' ? (object as Methods)[name]?.(read, run.context) : member;
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

function completeValue(run: Run, field: FieldPlan, value: ValuePlan, path: Path | undefined, result: unknown): unknown {
  if (value.kind === 'LEAF') return completeLeafValue(field, value, result);
  if (result === null || result === undefined) {
    if (value.nonNull) throw nullError(field);
    return null;
  }
  if (result instanceof Error) throw result;
  switch (value.kind) {
    case 'LIST':
      return completeList(run, field, value, path, result);
    case 'OBJECT':
      value.selection ??= planSubfields(run.plan, value.type, field.fieldNodes);
      return executeFields(run, value.selection, result, path);
    case 'ABSTRACT':
      return completeAbstract(run, field, value, path, result);
  }
}

function completeLeafValue(field: FieldPlan, { type, nonNull, asIs }: LeafPlan, result: unknown): unknown {
  if (isWrittenAsIs(asIs, result)) return result;
  if (result === null || result === undefined) {
    if (nonNull) throw nullError(field);
    return null;
  }
  if (result instanceof Error) throw result;
  const serialized = type.serialize(result);
  if (serialized !== null && serialized !== undefined) return serialized;
  const coordinate = `${field.parentType.name}.${field.definition.name}`;
  throw new Error(`The type ${type.name} must not write a value of ${coordinate} as null.`);
}

function nullError({ parentType, definition }: FieldPlan): Error {
  return new Error(`Cannot return null for non-nullable field ${parentType.name}.${definition.name}.`);
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
    if (completed instanceof Promise) waits = true;
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
    if (isPromise(each)) {
      const itemPath = path ?? { prev: listPath, key: index };
      return failLater(run, field, item, itemPath, completeLater(run, field, item, itemPath, each));
    }
    const completed = completeValue(run, field, item, path, each);
    if (!(completed instanceof Promise)) return completed;
    return failLater(run, field, item, path ?? { prev: listPath, key: index }, completed);
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
    let selection = value.selections.get(type);
    if (selection === undefined) {
      selection = planSubfields(run.plan, type, field.fieldNodes);
      value.selections.set(type, selection);
    }
    return executeFields(run, selection, result, path);
  };
  return isPromise(typeName) ? toPromise(typeName).then(complete) : complete(typeName);
}

type TypeFunction = (value: unknown, context: RequestContext) => unknown;

/** A string is none here, as in graphql-js. */
function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
    ? typeof value[Symbol.iterator] === 'function'
    : false;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** What the execution itself makes are promises of the language, and so known at less cost than others. */
function toPromise(value: PromiseLike<unknown>): Promise<unknown> {
  return value instanceof Promise ? value : Promise.resolve(value);
}
