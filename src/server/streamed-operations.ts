/**
 * Operations that arrive over a WebSocket or ask for server-sent events. They pass what operations over plain HTTP pass, in
 * the same order: bounds of the document, validation, cost, variables; their errors are told in the same words. Subscriptions
 * are executed by graphql-js, event by event; queries and mutations that come this way are executed by it, too.
 */
import type { IncomingHttpHeaders } from 'node:http';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  subscribe,
  validate,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { RequestContext } from '../../resolvers/context.ts';
import { checkCost } from '../access/document-cost.ts';
import type { DocumentFacts } from '../access/document-limits.ts';
import { actorOf } from '../domain/audit.ts';
import { type RequestScope, runInScope } from '../telemetry/request-scope.ts';
import type { Tracing } from '../telemetry/request-trace.ts';
import type { CountedError } from '../telemetry/usage-part.ts';
import { translateGraphqlError } from './client-errors.ts';
import type { GraphqlParameters } from './graphql-request.ts';
import { type CountOperation, logOperationError, toCounted } from './operation-errors.ts';
import { OperationStream } from './operation-stream.ts';

/** Valid documents by their text, as many as a program has; small ones only, so that the memory is bounded. */
const REMEMBERED_DOCUMENTS = 200;
const MAX_REMEMBERED_CHARACTERS = 20_000;
/** Of one operation, which may tell of things for days. */
const MAX_COUNTED_ERRORS = 100;
/** The one field that tells of things for as long as somebody listens. */
const ENDLESS_FIELD = 'registryHealth';

export interface StreamedOperationsOptions {
  readonly schema: GraphQLSchema;
  readonly introspection: boolean;
  /** Whether errors name what may have been meant. */
  readonly suggestions: boolean;
  /** Bound of what one operation may cost (src/access/document-cost.ts). */
  readonly maxCost: number;
  /** Rows that are read of a registry at a time. */
  readonly window: number;
  /** Throws what src/access/document-limits.ts does. */
  readonly checkDocument: (text: string) => DocumentFacts;
  readonly log: Logger;
  /** Told at the end of each operation, with its errors. */
  readonly countOperation: CountOperation;
  /** null: nothing is traced. */
  readonly tracing: Tracing | null;
}

/** Where an operation comes from. */
interface StreamOrigin {
  readonly requestId: string;
  /** The trace of the request that it came with; null: nothing is traced, or it came over a socket. */
  readonly trace: RequestScope['trace'];
  /** Of the request that it came with, or that its socket was opened with. */
  readonly headers: IncomingHttpHeaders;
}

/** Who reads the results of an operation. */
interface StreamReader {
  /** Told once: nothing more is read. */
  onClosed(): void;
  /** Settles when the next result may be made; absent: whenever it is read. */
  whenWanted?(): Promise<void>;
}

type PreparedOperation =
  /** It passed every check, and nothing is done before it is opened. */
  | {
      readonly type: 'READY';
      readonly args: ExecutionArgs;
      readonly operation: OperationDefinitionNode;
      readonly context: RequestContext;
      /** It tells of things for as long as somebody listens: there is no end to wait for. */
      readonly isEndless: boolean;
    }
  /** As the client is told. */
  | { readonly type: 'REFUSED'; readonly errors: readonly GraphQLError[] };

export interface StreamedOperations {
  /** Never throws: what is wrong is in what it gives. */
  prepare(parameters: GraphqlParameters, context: RequestContext): PreparedOperation;
  /** Its results: of one that was refused, its errors. */
  open(prepared: PreparedOperation, of: StreamOrigin, reader: StreamReader): OperationStream;
  /** An error of ours as the client is told of it; it is logged and counted as that of an operation. */
  refuse(error: unknown, requestId: string): readonly GraphQLError[];
}

/** Makes the checks and the execution. */
export function createStreamedOperations(options: StreamedOperationsOptions): StreamedOperations {
  const { schema, log, countOperation } = options;
  const validated = new LRUCache<string, DocumentNode>({ max: REMEMBERED_DOCUMENTS });
  const rules = options.introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];

  /** Throws a Refusal. */
  function readDocument(text: string): DocumentNode {
    const known = validated.get(text);
    if (known !== undefined) return known;
    const document = parseDocument(text);
    const errors = validate(schema, document, rules);
    if (errors.length > 0) {
      throw new Refusal('GRAPHQL_VALIDATION_FAILED', options.suggestions ? errors : errors.map(withoutSuggestion));
    }
    if (text.length <= MAX_REMEMBERED_CHARACTERS) validated.set(text, document);
    return document;
  }

  /** Throws a Refusal, and what the checks of src/access throw. */
  function check(
    { query, operationName, variables = {} }: GraphqlParameters,
    context: RequestContext,
  ): PreparedOperation {
    options.checkDocument(query);
    const document = readDocument(query);
    const operation = findOperation(document, operationName);
    context.notes.cost = checkCost({
      ...{ schema, document, operation, variables, maxCost: options.maxCost },
      registryCount: context.view.registries.length,
      window: options.window,
      maxPageSize: context.maxPageSize,
    });
    context.chargeCost(context.notes.cost);
    const { errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables, { maxErrors: 50 });
    if (errors !== undefined) throw new Refusal('BAD_USER_INPUT', errors);
    const args: ExecutionArgs = {
      ...{ schema, document, variableValues: variables, contextValue: context },
      operationName: operationName ?? null,
    };
    const isEndless = operation.operation === 'subscription' && selects(document, ENDLESS_FIELD);
    return { type: 'READY', args, operation, context, isEndless };
  }

  function open(
    prepared: PreparedOperation,
    { requestId, trace, headers }: StreamOrigin,
    reader: StreamReader,
  ): OperationStream {
    const counted: CountedError[] = [];
    const translate = (result: ExecutionResult): ExecutionResult => {
      if (result.errors === undefined) return result;
      const errors = tell(result.errors, undefined, requestId);
      if (counted.length < MAX_COUNTED_ERRORS) counted.push(...toCounted(errors));
      return { ...result, errors };
    };
    // What was refused is translated, logged and counted already.
    const isReady = prepared.type === 'READY';
    const operationName = nameOf(prepared);
    const traced =
      isReady && options.tracing !== null
        ? options.tracing.startStream(
            { type: prepared.operation.operation, name: operationName, requestId },
            trace,
            headers,
          )
        : null;
    const startedMs = performance.now();
    const scope = { requestId, operationName, actor: actorOfOperation(prepared), trace: traced?.scope ?? trace };
    return new OperationStream({
      begin: () => begin(prepared),
      run: (make) => runInScope(scope, make),
      whenWanted: reader.whenWanted ?? null,
      translate: isReady ? translate : (result) => result,
      describe: (error) => translate({ errors: [toGraphqlError(error)] }),
      whenRecorded: async () => {
        if (isReady) await prepared.context.notes.waitsFor;
      },
      onClosed: () => {
        if (isReady) {
          countOperation(counted);
          const told = {
            type: prepared.operation.operation,
            cost: prepared.context.notes.cost,
            errors: counted.length,
          };
          const tookMs = Math.round(performance.now() - startedMs);
          runInScope(scope, () => log.debug({ ...told, tookMs }, 'a streamed operation has ended'));
        }
        traced?.end();
        reader.onClosed();
      },
    });
  }

  /** Errors as the client is told of them. `apolloCode`: what Apollo would take them for. */
  function tell(errors: readonly GraphQLError[], apolloCode: string | undefined, requestId: string): GraphQLError[] {
    for (const error of errors) if (apolloCode === undefined) logOperationError(log, requestId, error);
    return errors.map((error) => {
      const { code, message, details } = translateGraphqlError(error, apolloCode, requestId);
      return new GraphQLError(message, { ...placeOf(error), extensions: { code, ...details } });
    });
  }

  function refuse(error: unknown, requestId: string): readonly GraphQLError[] {
    const errors =
      error instanceof Refusal
        ? tell(error.errors, error.apolloCode, requestId)
        : tell([toGraphqlError(error)], undefined, requestId);
    countOperation(toCounted(errors));
    return errors;
  }

  return {
    refuse,
    open,
    prepare(parameters, context) {
      try {
        return check(parameters, context);
      } catch (error) {
        return { type: 'REFUSED', errors: refuse(error, context.requestId) };
      }
    },
  };
}

async function begin(prepared: PreparedOperation): Promise<ExecutionResult | AsyncIterable<ExecutionResult>> {
  if (prepared.type === 'REFUSED') return { errors: prepared.errors };
  const { args, operation } = prepared;
  return await (operation.operation === 'subscription' ? subscribe(args) : execute(args));
}

/** As the client named it. */
function nameOf(prepared: PreparedOperation): string | null {
  return prepared.type === 'READY' ? (prepared.operation.name?.value ?? null) : null;
}

function actorOfOperation(prepared: PreparedOperation): string | null {
  return prepared.type === 'READY' ? actorOf(prepared.context.caller) : null;
}

/** Errors of GraphQL itself, by the code that Apollo has for them. */
class Refusal extends Error {
  readonly apolloCode: string;
  readonly errors: readonly GraphQLError[];

  constructor(apolloCode: string, errors: readonly GraphQLError[]) {
    super('an operation was refused');
    this.apolloCode = apolloCode;
    this.errors = errors;
  }
}

function parseDocument(text: string): DocumentNode {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    throw new Refusal('GRAPHQL_PARSE_FAILED', [error]);
  }
}

function findOperation(document: DocumentNode, name: string | undefined): OperationDefinitionNode {
  const operation = getOperationAST(document, name);
  if (operation) return operation;
  const message =
    name === undefined
      ? '"operationName" must be given where a document has several operations.'
      : `"operationName" must name an operation of the document; "${name}" is none.`;
  throw new Refusal('OPERATION_RESOLUTION_FAILURE', [new GraphQLError(message)]);
}

/** Whether an operation of the document, or a fragment, has the field at its top. */
function selects(document: DocumentNode, fieldName: string): boolean {
  const selections = document.definitions.flatMap((each) =>
    'selectionSet' in each ? each.selectionSet.selections : [],
  );
  return selections.some((selection) => selection.kind === 'Field' && selection.name.value === fieldName);
}

/** A suggestion tells of the schema, which may be nobody's business. */
function withoutSuggestion(error: GraphQLError): GraphQLError {
  const message = error.message.replace(/ ?Did you mean .+\?$/, '');
  return new GraphQLError(message, placeOf(error));
}

/** Where in the document and in the answer it belongs. */
function placeOf({ nodes, source, positions, path }: GraphQLError) {
  return { nodes: nodes ?? null, source: source ?? null, positions: positions ?? null, path: path ?? null };
}

function toGraphqlError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  const original = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(original.message, { originalError: original });
}
