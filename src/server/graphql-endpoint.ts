/** /graphql: GraphQL over HTTP. Checks the request as HTTP and its document by size, then has it answered. */
import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { RequestContext } from '../../resolvers/context.ts';
import type { Quota } from '../access/caller-quotas.ts';
import { isDenial } from '../access/errors.ts';
import { actorOf } from '../domain/audit.ts';
import type { Caller } from '../domain/caller.ts';
import { countCalls, runInScope } from '../telemetry/request-scope.ts';
import type { Admission } from './admission.ts';
import { describeOperation, type OperationLabel, refuseWrites } from './chosen-operation.ts';
import type { CrossOrigin } from './cross-origin.ts';
import type { RawKey } from './finished-answer.ts';
import { type FinishedAnswers, readRawText } from './finished-answers.ts';
import { answerError } from './graphql-errors.ts';
import { executeOperation, type OperationExecutors } from './graphql-execution.ts';
import {
  type GraphqlParameters,
  readParameters,
  readSearchParameters,
  refuseForeignPages,
  type SentParameters,
} from './graphql-request.ts';
import { findOperation, type KnowDocument } from './known-documents.ts';
import { chooseMediaType, type ResponseMediaType } from './media-type.ts';
import type { CountOperation } from './operation-errors.ts';
import type { OperationRecord } from './operation-record.ts';
import type { ListedDocuments, PersistedDocuments } from './persisted-documents.ts';
import { checkBodyHeaders, collectBody, parseJsonBody } from './request-body.ts';
import { RequestError } from './request-error.ts';
import { makeRequestKey, roomOf } from './request-key.ts';
import { type Exchange, sendAnswer } from './responses.ts';
import type { Scope } from './scope.ts';
import { answerExecuted, countObjects, sendFinished, type ToldCost, tellCost } from './send-finished.ts';
import { type Executed, SharedExecutions } from './shared-executions.ts';

export interface GraphqlEndpointOptions extends OperationExecutors {
  readonly knowDocument: KnowDocument;
  readonly persisted: PersistedDocuments;
  readonly maxBodyBytes: number;
  /** Counts requests and operations of each caller. */
  readonly admission: Admission;
  readonly crossOrigin: CrossOrigin;
  /** The documents that the configuration names; null: clients name what they like. */
  readonly listed: ListedDocuments | null;
  /** Where finished answers are kept; null: nowhere. */
  readonly finished: FinishedAnswers | null;
  /** Establishes the caller. Throws, or rejects with, Unauthenticated or IdentityUnavailable. */
  readonly authenticate: (request: IncomingMessage) => Caller | Promise<Caller>;
  readonly scopeOf: (caller: Caller) => Scope;
  readonly createContext: (exchange: GraphqlExchange, caller: Caller, record: OperationRecord) => RequestContext;
  readonly createRecord: () => OperationRecord;
  /** Told of the templates that an answer shows because they were looked up, each time that it is given. */
  readonly countViews: (caller: Caller, views: OperationRecord['views']) => void;
  /** Puts on record that a request was refused for who calls. Never rejects. */
  readonly recordDenial: (requestId: string) => Promise<void>;
  /** The address by which the client reached the gateway. */
  readonly readOrigin: (request: IncomingMessage) => string | null;
  readonly log: Logger;
  /** Told of each operation that was refused before it reached Apollo. */
  readonly countOperation: CountOperation;
}

export interface GraphqlExchange extends Exchange {
  readonly request: IncomingMessage;
  /** The address from its "?" on. */
  readonly search: string;
}

/** A request that is in order as HTTP, apart from its body. */
interface Accepted {
  readonly exchange: GraphqlExchange;
  readonly mediaType: ResponseMediaType;
  readonly caller: Caller;
  readonly scope: Scope;
}

/** What a request asks for, and how it asks. */
interface Question {
  readonly sent: SentParameters;
  readonly parameters: GraphqlParameters;
  readonly operation: OperationLabel;
  /** What it means; null: nothing is kept of the answer. */
  readonly key: string | null;
  /** How it came; null: it is not looked for by that. */
  readonly rawKey: RawKey | null;
  readonly usesOrigin: boolean;
}

/** In bytes of the body, or of the address from its "?" on: of longer requests nothing is kept. */
const MAX_RAW_LENGTH = 16_384;

/** Makes the endpoint. It answers by itself, once, whatever goes wrong. */
export function createGraphqlEndpoint(options: GraphqlEndpointOptions): (exchange: GraphqlExchange) => void {
  const endpoint = new GraphqlEndpoint(options);
  return (exchange) => endpoint.handle(exchange);
}

class GraphqlEndpoint {
  readonly #options: GraphqlEndpointOptions;
  readonly #executions: SharedExecutions | null;
  readonly #persisted: PersistedDocuments;

  constructor(options: GraphqlEndpointOptions) {
    this.#options = options;
    this.#persisted = options.persisted;
    this.#executions = options.finished && new SharedExecutions(options.finished);
  }

  handle(exchange: GraphqlExchange): void {
    const mediaType = chooseMediaType(exchange.request.headers.accept);
    try {
      if (mediaType === null) {
        throw new RequestError(
          406,
          'accept',
          '"Accept" must allow application/graphql-response+json or application/json.',
        );
      }
      const caller = this.#options.authenticate(exchange.request);
      // A promise for a token that is not known yet; whoever is known already does not wait a turn.
      if (caller instanceof Promise) this.#beginLater(exchange, mediaType, caller);
      else this.#begin(exchange, mediaType, caller);
    } catch (error) {
      this.#refuse(exchange, mediaType, error);
    }
  }

  #refuse(exchange: GraphqlExchange, mediaType: ResponseMediaType | null, error: unknown): void {
    this.#sendError(exchange, mediaType, this.#options.admission.refuse(exchange, error));
  }

  #beginLater(exchange: GraphqlExchange, mediaType: ResponseMediaType, caller: Promise<Caller>): void {
    caller
      .then((known) => this.#begin(exchange, mediaType, known))
      .catch((error: unknown) => this.#refuse(exchange, mediaType, error));
  }

  /** Throws RequestError, RateLimited. Whoever is not known is not told what else is wrong with the request. */
  #begin(exchange: GraphqlExchange, mediaType: ResponseMediaType, caller: Caller): void {
    const { request, search } = exchange;
    const { maxBodyBytes, admission, crossOrigin } = this.#options;
    const scope = this.#options.scopeOf(caller);
    admission.admit(exchange, scope.callerKey);
    if (request.method === 'POST') checkBodyHeaders(request, maxBodyBytes);
    else if (request.method === 'GET') {
      if (!crossOrigin.admits(request)) refuseForeignPages(request);
    } else throw new RequestError(405, 'method', 'A GraphQL request must be a GET or a POST.', { Allow: 'GET, POST' });
    const accepted = { exchange, mediaType, caller, scope };
    if (request.method === 'GET') {
      this.#answer(accepted, search, () => readSearchParameters(search));
      return;
    }
    collectBody(
      request,
      maxBodyBytes,
      (bytes) => this.#answer(accepted, bytes, () => parseJsonBody(bytes)),
      (error) => this.#sendError(exchange, mediaType, error),
    );
  }

  #answer(accepted: Accepted, raw: Buffer | string, readSent: () => unknown): void {
    try {
      this.#answerRaw(accepted, raw, readSent);
    } catch (error) {
      this.#sendError(accepted.exchange, accepted.mediaType, error);
    }
  }

  /** `raw`: the request as it came. Of what was answered before nothing else is looked at. */
  #answerRaw(accepted: Accepted, raw: Buffer | string, readSent: () => unknown): void {
    const { exchange, mediaType, scope } = accepted;
    const { finished } = this.#options;
    const startedMs = performance.now();
    let rawKey: RawKey | null = null;
    if (finished !== null && raw.length <= MAX_RAW_LENGTH) {
      const room = roomOf(scope, mediaType, exchange.request.method === 'GET');
      const nowMs = Date.now();
      const known = finished.findRaw(room, raw, nowMs);
      if (known !== undefined) {
        sendFinished(exchange, known, finished, { startedMs, nowMs });
        this.#countViews(accepted.caller, known.record);
        return;
      }
      rawKey = { room, text: readRawText(raw) };
    }
    this.#answerRead(accepted, rawKey, readSent, startedMs).catch((error: unknown) =>
      this.#sendError(exchange, mediaType, error),
    );
  }

  async #answerRead(accepted: Accepted, rawKey: RawKey | null, readSent: () => unknown, startedMs: number) {
    const { exchange, scope } = accepted;
    const { finished } = this.#options;
    const question = this.#readQuestion(accepted, rawKey, readParameters(readSent()));
    const { key, usesOrigin } = question;
    const execute = () => this.#execute(accepted, question);
    if (key === null || finished === null || this.#executions === null) {
      const executed = await execute();
      this.#countViews(accepted.caller, executed.record);
      sendAnswer(exchange, answerExecuted(executed, null, exchange.request));
      return;
    }
    const nowMs = Date.now();
    const known = finished.find(key, nowMs);
    if (known !== undefined) {
      if (question.rawKey !== null) finished.link(question.rawKey, known);
      sendFinished(exchange, known, finished, { startedMs, nowMs });
      this.#countViews(accepted.caller, known.record);
      return;
    }
    finished.use.misses += 1;
    const keeping = { key, rawKey: question.rawKey, isPublic: scope.isPublic, usesOrigin };
    const executed = await this.#executions.run(keeping, execute);
    this.#countViews(accepted.caller, executed.record);
    const freshUntilMs = this.#executions.freshUntilOf(executed, Date.now());
    sendAnswer(exchange, answerExecuted(executed, { ...keeping, freshUntilMs }, exchange.request));
  }

  #readQuestion({ exchange, mediaType, scope }: Accepted, rawKey: RawKey | null, sent: SentParameters): Question {
    const { request } = exchange;
    const parameters = this.#persisted.resolve(sent, this.#options.listed);
    const document = this.#options.knowDocument(parameters.query);
    if (request.method === 'GET') refuseWrites(document.facts, parameters.operationName);
    if (document.facts.operations.size > 0 && !this.#options.listed?.isClosed) this.#persisted.remember(sent);
    const facts = findOperation(document, parameters.operationName);
    const operation = describeOperation(document.facts, parameters.operationName);
    const asked = { sent, parameters, operation };
    // Requests that are too long to be looked for do not come twice; what is left to a caller is another number each time.
    if (rawKey === null || sent.tellsCost || !facts?.isCacheable)
      return { ...asked, key: null, rawKey: null, usesOrigin: false };
    const { usesOrigin } = facts;
    const origin = usesOrigin ? this.#options.readOrigin(request) : null;
    const key = makeRequestKey(scope, { document, parameters, mediaType, origin });
    // By its bytes alone it could be the answer of another, who came by another address.
    return { ...asked, key, rawKey: usesOrigin ? null : rawKey, usesOrigin };
  }

  /** In a scope of its own, by which logs and traces know whose work is done. */
  #execute(accepted: Accepted, question: Question): Promise<Executed> {
    const { requestId, trace } = accepted.exchange;
    const { name, type } = question.operation;
    const execute = () => this.#executeInScope(accepted, question);
    const actor = actorOf(accepted.caller);
    if (trace !== null) return trace.runOperation({ type, name, requestId, actor }, execute);
    return runInScope({ requestId, operationName: name, actor, trace: null }, execute);
  }

  async #executeInScope({ exchange, mediaType, caller }: Accepted, question: Question): Promise<Executed> {
    const { sent, parameters } = question;
    const { quota } = exchange;
    const startedMs = performance.now();
    const record = this.#options.createRecord();
    const context = this.#options.createContext(exchange, caller, record);
    quota?.enter();
    try {
      const calls = { count: 0 };
      const run = () => executeOperation(this.#options, parameters, context, mediaType);
      const { status, contentType, body } = await (sent.tellsCost ? countCalls(calls, run) : run());
      if (record.refusal !== null) throw record.refusal;
      if (this.#options.log.isLevelEnabled('debug')) this.#logOperation(question, record, startedMs);
      const told =
        sent.tellsCost && record.cost !== null ? tellCost(body, costOf(body, record.cost, calls, quota)) : body;
      if (record.waitsFor !== null) await record.waitsFor;
      return { status, contentType, body: told, record, freshness: context.view.readFreshness() };
    } finally {
      quota?.leave();
    }
  }

  /** A line for each answer would cost more than many answers do: failures are logged where they happen, the rest here. */
  #logOperation({ operation: { type } }: Question, { isWhole, cost, searches }: OperationRecord, startedMs: number) {
    const tookMs = Math.round(performance.now() - startedMs);
    this.#options.log.debug({ type, isWhole, cost, searches, tookMs }, 'an operation was executed');
  }

  #countViews(caller: Caller, { views }: OperationRecord): void {
    if (views.length > 0) this.#options.countViews(caller, views);
  }

  #sendError(exchange: GraphqlExchange, mediaType: ResponseMediaType | null, error: unknown): void {
    if (!isDenial(error)) {
      this.#tellError(exchange, mediaType, error);
      return;
    }
    const send = () => this.#tellError(exchange, mediaType, error);
    this.#options.recordDenial(exchange.requestId).then(send, send);
  }

  #tellError(exchange: GraphqlExchange, mediaType: ResponseMediaType | null, error: unknown): void {
    try {
      sendAnswer(exchange, answerError(error, exchange, mediaType ?? 'application/json', this.#options));
    } catch (defect) {
      // When even the failure cannot be told, the connection says so by ending.
      this.#options.log.error({ requestId: exchange.requestId, err: defect }, 'an answer could not be sent');
      exchange.response.destroy();
    }
  }
}

function costOf(body: string, requested: number, calls: { readonly count: number }, quota: Quota | null): ToldCost {
  const left = quota?.readCost(Date.now()) ?? null;
  return {
    requested,
    actual: countObjects(body) + calls.count,
    remaining: left?.remaining ?? null,
    resetAt: left === null ? null : new Date(left.resetAtMs).toISOString(),
  };
}
